// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/run/sampler.hpp>

#include <algorithm>
#include <atomic>
#include <utility>

#include <sys/prctl.h>

#include <xcores/os/clock.hpp>
#include <xcores/os/thread_probe.hpp>

namespace xcores::run {

namespace {

/// What a look costs, timer included: at workers, and at what else there is.
std::atomic<nanoseconds> usual_costs[2];

/// Who looks may itself be interrupted: what is seen further apart than this was not seen at the same moment.
constexpr nanoseconds one_moment = std::chrono::microseconds{200};

} // namespace

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
    set_pace(usual_costs[before_each_look_ ? 1 : 0].load(std::memory_order_relaxed));
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
    entries_.push_back({&what, &log, {}, first.seen.handovers});
    turns_.push_back({.gil = what.gil(), .start = first.time, .end = first.time, .seen = {}});
    entries_.back().judgement(what, first.seen, nanoseconds{0});
    if (!before_each_look_) // a worker, which adds itself; others are found amid what they do
        entries_.back().judgement.is_about_to_begin();
    if (entries_.size() == 1)
        changed_.notify_one();
}

void sampler::remove(probe& what) noexcept {
    const std::lock_guard lock(mutex_);
    const auto found = std::ranges::find(entries_, &what, &entry::what);
    if (found == entries_.end())
        return;
    const auto its_turn = turns_.begin() + (found - entries_.begin());
    const auto last = read(what);
    const auto elapsed = last.time - its_turn->end;
    its_turn->start = its_turn->end;
    its_turn->seen = found->judgement.last_words(last.seen, elapsed, is_late(elapsed, pace_.period()));
    write(*found->log, *its_turn);
    for (turn& other : turns_)
        if (other.gil != 0 && other.gil == its_turn->gil)
            other.not_before = std::max(other.not_before, end_of_hold(*its_turn));
    turns_.erase(its_turn);
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
    usual_costs[before_each_look_ ? 1 : 0].store(each, std::memory_order_relaxed);
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
    for (std::size_t i = 0; i < entries_.size(); ++i)
        look_at(entries_[i], turns_[i], time, step);
    place_turns(turns_);
    for (std::size_t i = 0; i < entries_.size(); ++i)
        write(*entries_[i].log, turns_[i]);
}

void sampler::look_at(entry& one, turn& its, nanoseconds time, nanoseconds step) noexcept {
    const auto now = read(*one.what);
    its.start = its.end;
    its.seen = {};
    const auto elapsed = now.time - its.start;
    if (elapsed <= nanoseconds{0})
        return;
    // The GIL was looked at before: an interruption since then makes this another moment.
    const bool late = is_late(elapsed, step) || now.time - time > one_moment;
    its.handovers = now.seen.handovers - std::exchange(one.handovers, now.seen.handovers);
    its.seen = one.judgement(*one.what, now.seen, elapsed, late);
    its.end = now.time;
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

void sampler::write(sample_log& log, const turn& its) noexcept {
    auto at = its.start;
    for (const auto& piece : {its.seen.first, its.seen.second, its.seen.third, its.seen.fourth}) {
        const auto start = std::exchange(at, at + piece.length);
        if (piece.length > nanoseconds{0})
            log.append(start, at, piece.state, piece.gil, piece.core);
    }
}

} // namespace xcores::run
