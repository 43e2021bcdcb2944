// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/run/sampler.hpp>

#include <algorithm>

#include <sys/prctl.h>

#include <xcores/os/clock.hpp>
#include <xcores/os/thread_probe.hpp>

namespace xcores::run {

using model::gil_state;
using model::thread_state;

bool judge::on_core(nanoseconds progress, nanoseconds elapsed) noexcept {
    // A thread that has only just become runnable made little progress, yet it is on a core if it made any.
    const bool on = credit_ >= elapsed / 2 || (!was_runnable_ && progress > nanoseconds{0});
    if (on)
        credit_ -= elapsed;
    credit_ = std::clamp(credit_, -elapsed, elapsed);
    return on;
}

judge::verdict judge::operator()(probe& what, nanoseconds elapsed) noexcept {
    const auto now = what.read();
    verdict result{thread_state::unknown, now.gil, now.core, {}};
    const bool known = now.cpu >= nanoseconds{0} && cpu_ >= nanoseconds{0};
    const auto progress = known ? now.cpu - cpu_ : nanoseconds{0};
    cpu_ = now.cpu;
    if (!known)
        return result;
    credit_ += progress;
    result.progress = std::min(progress, elapsed);
    const bool holds = now.gil == gil_state::held;
    if (!holds || progress == nanoseconds{0}) {
        const auto situation = what.situation();
        if (situation != thread_state::waiting_core) { // it is off core of its own will, or nothing is known
            result.state = situation;
            credit_ = std::clamp(credit_, -elapsed, elapsed);
            was_runnable_ = false;
            return result;
        }
    }
    result.state = on_core(progress, elapsed) ? thread_state::running : thread_state::waiting_core;
    was_runnable_ = true;
    return result;
}

sampler::sampler(nanoseconds period, std::function<void()> before_each_look)
    : period_(period), before_each_look_(std::move(before_each_look)) {
    record_.period = period;
    thread_ = std::thread([this] { loop(); });
    os::name_thread(thread_, "xcores sampler"); // before anybody can take it for another's
}

sampler::~sampler() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
        stopped_.notify_one();
    }
    thread_.join();
}

void sampler::add(probe& what, sample_log& log) {
    const std::lock_guard lock(mutex_);
    log.clear();
    entries_.push_back({&what, &log, {}, os::now()});
    entries_.back().judgement(what, nanoseconds{0});
}

void sampler::remove(probe& what) noexcept {
    const std::lock_guard lock(mutex_);
    std::erase_if(entries_, [&](const entry& one) { return one.what == &what; });
}

model::sampling_record sampler::record() const {
    const std::lock_guard lock(mutex_);
    return record_;
}

void sampler::loop() noexcept {
    os::block_signals_on_this_thread();
    prctl(PR_SET_TIMERSLACK, 1000UL); // ns; the default of 50 us would be 5 % of a tick
    auto due = std::chrono::steady_clock::now() + period_;
    std::unique_lock lock(mutex_);
    while (!stopped_.wait_until(lock, due, [this] { return stopping_; })) {
        const auto late = std::chrono::steady_clock::now() - due;
        look(os::now());
        const auto missed = late / period_;
        due += (missed + 1) * period_;
        ++record_.ticks;
        record_.missed += missed;
        record_.latest = std::max<nanoseconds>(record_.latest.value_or(nanoseconds{0}), late);
        keep_within_budget(os::now());
    }
}

void sampler::keep_within_budget(nanoseconds time) noexcept {
    constexpr nanoseconds stretch = std::chrono::milliseconds{50};
    constexpr int share = 100; // one part in so many of a core
    record_.cost = os::thread_cpu_time();
    if (budget_checked_at_ == nanoseconds{0})
        budget_checked_at_ = time;
    const auto elapsed = time - budget_checked_at_;
    if (elapsed < stretch)
        return;
    const auto cost = record_.cost - budget_checked_cost_;
    if (cost > elapsed / share) {
        period_ *= 2;
        record_.widest_period = period_;
    }
    budget_checked_at_ = time;
    budget_checked_cost_ = record_.cost;
}

void sampler::write(entry& one, const judge::verdict& seen, nanoseconds time) const noexcept {
    const auto elapsed = time - one.last;
    const bool late = elapsed > 3 * period_;
    if (!late || seen.state == thread_state::unknown) {
        one.log->append(one.last, time, seen.state, seen.gil, seen.core);
        return;
    }
    // Nobody looked for a while: of that time only the sum on a core is known, neither when it was nor who held the
    // GIL.
    const auto until = one.last + seen.progress;
    if (until > one.last)
        one.log->append(one.last, until, thread_state::running, gil_state::unknown, -1);
    const auto rest = seen.state == thread_state::running ? thread_state::waiting_core : seen.state;
    if (time > until)
        one.log->append(until, time, rest, gil_state::unknown, -1);
}

void sampler::look(nanoseconds time) noexcept {
    if (before_each_look_)
        before_each_look_();
    for (auto& one : entries_) {
        const auto elapsed = time - one.last;
        if (elapsed <= nanoseconds{0})
            continue;
        write(one, one.judgement(*one.what, elapsed), time);
        one.last = time;
    }
}

} // namespace xcores::run
