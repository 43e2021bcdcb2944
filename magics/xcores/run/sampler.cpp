// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/run/sampler.hpp>

#include <algorithm>
#include <atomic>
#include <utility>

#include <sys/prctl.h>

#include <xcores/os/clock.hpp>
#include <xcores/os/thread_probe.hpp>

namespace xcores::run {

using model::gil_state;
using model::thread_state;

namespace {

std::atomic<nanoseconds> usual_cost = nanoseconds{0}; // of a look, timer included

/// Who looks may itself be interrupted: what is seen further apart than this was not seen at the same moment.
constexpr nanoseconds one_moment = std::chrono::microseconds{200};

/// The CPU clock of another process moves with the ticks of the system, which are no longer than this. What is more
/// than there was time for besides is the work of several threads.
constexpr nanoseconds longest_jump = std::chrono::milliseconds{10};

/// Where looks are further apart, a time in which it ran for a part is cut; else it goes to what there was more of.
constexpr nanoseconds worth_a_cut = std::chrono::milliseconds{1};

/// Who waits for the GIL wakes after each switch interval, to ask for it again: that takes less.
constexpr nanoseconds asking_again = std::chrono::microseconds{50};

/// Seen to hold its GIL, and on a core almost all the time: nobody else can have had it for long.
bool surely_held(gil_state seen, nanoseconds ran, nanoseconds elapsed) {
    return seen == gil_state::held && ran >= elapsed / 10 * 9;
}

} // namespace

judge::piece judge::see(probe& what, const probe::reading& now, nanoseconds progress) noexcept {
    const bool surely_runs = now.gil == gil_state::held && progress > nanoseconds{0};
    const auto situation = surely_runs ? thread_state::waiting_core : what.situation();
    return {{}, situation == thread_state::waiting_core ? thread_state::running : situation, now.gil, now.core};
}

judge::verdict judge::unseen(nanoseconds ran, nanoseconds elapsed, thread_state otherwise) noexcept {
    const auto rest = otherwise == thread_state::running ? thread_state::waiting_core : otherwise;
    return {{ran, thread_state::running, gil_state::unknown, -1}, {elapsed - ran, rest, gil_state::unknown, -1}};
}

judge::verdict judge::operator()(probe& what, const probe::reading& reading, nanoseconds elapsed, bool late) noexcept {
    const auto of_length = [](piece one, nanoseconds length) {
        one.length = length;
        return one;
    };
    if (reading.cpu < nanoseconds{0}) {
        cpu_ = reading.cpu;
        before_ = {elapsed, thread_state::unknown, reading.gil, reading.core};
        return {{}, before_};
    }
    const auto progress = cpu_ < nanoseconds{0} ? nanoseconds{0} : reading.cpu - cpu_;
    cpu_ = reading.cpu;
    const auto before = std::exchange(before_, see(what, reading, progress));
    const bool had_waited = before.state == thread_state::waiting_gil && before_.gil == gil_state::not_held;
    if (had_waited && progress < asking_again && before_.state == thread_state::running)
        before_.state = thread_state::waiting_gil;
    auto now = before_;
    const bool runnable = now.state == thread_state::running;
    const bool was_runnable = before.state == thread_state::running;
    const auto ran = std::min(progress, elapsed);
    owed_ = std::max(owed_, std::min(owed_ + progress - ran, longest_jump));
    if (late && !surely_held(now.gil, ran, elapsed))
        return unseen(ran, elapsed, now.state);
    // Where it ran at one of the two moments, or had the GIL at one of them, that is when it ran.
    const bool got = now.gil == gil_state::held && before.gil != gil_state::held;
    const bool gave = before.gil == gil_state::held && now.gil != gil_state::held;
    // That it held it at one of them does not say for how much of a longer time.
    const bool unclear = runnable && ran > worth_a_cut && (was_runnable ? got || gave : had_waited);
    const auto then = [unclear](gil_state seen) { return unclear ? gil_state::unknown : seen; };
    if (was_runnable && (!runnable || gave)) {
        auto on = before;
        on.gil = then(before.gil);
        now.state = runnable ? thread_state::waiting_core : now.state;
        return {of_length(on, ran), of_length(now, elapsed - ran)};
    }
    if (runnable && (was_runnable ? got : before.state != thread_state::unknown)) {
        auto waited = before;
        waited.state = was_runnable ? thread_state::waiting_core : before.state;
        now.gil = then(now.gil);
        return {of_length(waited, elapsed - ran), of_length(now, ran)};
    }
    owed_ += ran;
    const auto due = std::clamp(owed_, nanoseconds{0}, elapsed);
    const auto rest = elapsed - due;
    if (runnable) {
        auto waited = now;
        waited.state = thread_state::waiting_core;
        if (std::min(due, rest) <= worth_a_cut) {
            const bool mostly_ran = due >= rest;
            owed_ -= mostly_ran ? elapsed : nanoseconds{0};
            return {{}, of_length(mostly_ran ? now : waited, elapsed)};
        }
        owed_ -= due;
        return {of_length(waited, rest), of_length(now, due)};
    }
    const auto& rested = before.state == thread_state::unknown ? now : before;
    if (owed_ < std::min(elapsed / 2, worth_a_cut))
        return {{}, of_length(rested, elapsed)};
    owed_ -= due;
    return {{due, thread_state::running, gil_state::unknown, now.core}, of_length(rested, rest)};
}

judge::verdict judge::last_words(const probe::reading& reading, nanoseconds elapsed, bool late) const noexcept {
    if (reading.cpu < nanoseconds{0} || cpu_ < nanoseconds{0})
        return {};
    const auto ran = std::clamp(reading.cpu - cpu_, nanoseconds{0}, std::max(elapsed, nanoseconds{0}));
    if (late && !surely_held(before_.gil, ran, elapsed))
        return unseen(ran, elapsed, before_.state);
    if (before_.state != thread_state::running)
        return {};
    auto on = before_;
    on.length = ran;
    return {{}, on};
}

void pace::adapt(nanoseconds cost_of_a_look) noexcept {
    const auto multiple_of = [this](nanoseconds least) {
        return asked_ * std::max<std::int64_t>(1, (least + asked_ - nanoseconds{1}) / asked_);
    };
    const auto needed = cost_of_a_look * share_;
    const auto surely_needed = needed + needed / 4; // so as not to go to and fro
    period_ = std::max(multiple_of(needed), std::min(period_, multiple_of(surely_needed)));
}

sampler::sampler(nanoseconds period, int share, std::function<void()> before_each_look)
    : pace_(period, share), before_each_look_(std::move(before_each_look)) {
    record_.period = period;
    set_pace(usual_cost.load(std::memory_order_relaxed));
    thread_ = std::thread([this] { loop(); });
    os::name_thread(thread_, "xcores sampler"); // before anybody can take it for another's
}

sampler::~sampler() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
        changed_.notify_one();
    }
    thread_.join();
}

void sampler::add(probe& what, sample_log& log) {
    const std::lock_guard lock(mutex_);
    log.clear();
    const auto first = read(what);
    entries_.push_back({&what, &log, {}, first.time});
    entries_.back().judgement(what, first.seen, nanoseconds{0});
    if (entries_.size() == 1)
        changed_.notify_one();
}

void sampler::remove(probe& what) noexcept {
    const std::lock_guard lock(mutex_);
    const auto found = std::ranges::find(entries_, &what, &entry::what);
    if (found == entries_.end())
        return;
    const auto last = read(what);
    const auto elapsed = last.time - found->last;
    write(*found, found->judgement.last_words(last.seen, elapsed, is_late(elapsed, pace_.period())));
    entries_.erase(found);
}

model::sampling_record sampler::record() const {
    const std::lock_guard lock(mutex_);
    return record_;
}

void sampler::loop() noexcept {
    os::block_signals_on_this_thread();
    prctl(PR_SET_TIMERSLACK, 1000UL); // ns; the default of 50 us would be 5 % of a tick
    std::unique_lock lock(mutex_);
    checked_ = {os::now(), os::thread_cpu_time(), 0};
    auto step = pace_.period();
    auto due = std::chrono::steady_clock::now() + step;
    for (;;) {
        if (has_nothing_to_do()) {
            changed_.wait(lock, [this] { return stopping_ || !has_nothing_to_do(); });
            due = std::chrono::steady_clock::now() + step;
            checked_.time = os::now();
        }
        if (changed_.wait_until(lock, due, [this] { return stopping_; }))
            return;
        const auto late = std::chrono::steady_clock::now() - due;
        look(os::now(), step);
        const auto missed = late / step;
        step = pace_.period();
        due += (missed + 1) * step;
        ++record_.ticks;
        record_.missed += missed;
        record_.latest = std::max<nanoseconds>(record_.latest.value_or(nanoseconds{0}), late);
        keep_within_budget(os::now());
    }
}

void sampler::keep_within_budget(nanoseconds time) noexcept {
    constexpr nanoseconds stretch = std::chrono::milliseconds{10};
    constexpr std::int64_t least_ticks = 8;
    record_.cost = os::thread_cpu_time();
    const auto ticks = record_.ticks - checked_.ticks;
    if (time - checked_.time < stretch || ticks < least_ticks)
        return;
    const auto each = (record_.cost - checked_.cost) / ticks;
    checked_ = {time, record_.cost, record_.ticks};
    usual_cost.store(each, std::memory_order_relaxed);
    set_pace(each);
}

void sampler::set_pace(nanoseconds cost_of_a_look) noexcept {
    pace_.adapt(cost_of_a_look);
    if (pace_.period() > record_.period)
        record_.widest_period = std::max(record_.widest_period.value_or(nanoseconds{0}), pace_.period());
}

void sampler::look(nanoseconds time, nanoseconds step) noexcept {
    if (before_each_look_)
        before_each_look_();
    for (auto& one : entries_)
        look_at(one, time, step);
}

void sampler::look_at(entry& one, nanoseconds time, nanoseconds step) noexcept {
    const auto now = read(*one.what);
    const auto elapsed = now.time - one.last;
    if (elapsed <= nanoseconds{0})
        return;
    // The GIL was looked at before: an interruption since then makes this another moment.
    const bool late = is_late(elapsed, step) || now.time - time > one_moment;
    write(one, one.judgement(*one.what, now.seen, elapsed, late));
}

// The time and what is read then: together, or again.
sampler::moment sampler::read(probe& what) noexcept {
    constexpr int most_attempts = 4;
    for (int attempt = 1;; ++attempt) {
        const moment now{os::now(), what.read()};
        if (os::now() - now.time < one_moment || attempt == most_attempts)
            return now;
    }
}

void sampler::write(entry& one, const judge::verdict& seen) noexcept {
    for (const auto& piece : {seen.first, seen.second}) {
        const auto start = std::exchange(one.last, one.last + piece.length);
        if (piece.length > nanoseconds{0})
            one.log->append(start, one.last, piece.state, piece.gil, piece.core);
    }
}

} // namespace xcores::run
