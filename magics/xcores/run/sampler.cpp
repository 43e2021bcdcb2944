// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/run/sampler.hpp>

#include <algorithm>
#include <atomic>
#include <utility>

#include <sys/prctl.h>

#include <xcores/os/clock.hpp>
#include <xcores/os/named_thread.hpp>
#include <xcores/os/thread_probe.hpp>

namespace xcores::run {

namespace {

/// Of workers, and of what else there is.
sampling_cost known_costs[2];

/// Who looks may itself be interrupted: what is seen further apart than this was not seen at the same moment.
constexpr nanoseconds one_moment = std::chrono::microseconds{200};

void include(model::sampling_record& sum, const exact_source& recorded) {
    model::add(sum.recorded, recorded.sums());
    sum.cost += recorded.cost();
}

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
    if (before_each_look_)
        set_pace(known_costs[1].expected(0));
    thread_ = os::named_thread("xcores sampler", [this] { loop(); });
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
    const bool adds_itself = !before_each_look_; // a worker; other threads are found while they run
    auto exact = exact_source::open(what, log, allowance_for(what.gil()), adds_itself);
    const auto first = read(what);
    entries_.push_back({&what, &log, {}, first.seen.handovers, std::move(exact), what.what_to_record().has_value()});
    intervals_.push_back({.gil = what.gil(), .start = first.time, .end = first.time, .seen = {}});
    entries_.back().rules.apply(what, first.seen, nanoseconds{0});
    if (adds_itself)
        entries_.back().rules.is_about_to_begin();
    set_pace(known_costs[before_each_look_ ? 1 : 0].expected(entries_.size()));
    if (entries_.size() == 1)
        changed_.notify_one();
}

nanoseconds sampler::remove(probe& what) noexcept {
    const std::lock_guard lock(mutex_);
    const auto found = std::ranges::find(entries_, &what, &entry::what);
    if (found == entries_.end())
        return nanoseconds{0};
    const auto interval = intervals_.begin() + (found - entries_.begin());
    const bool is_recorded = found->exact && found->exact->is_recording();
    if (found->exact) {
        found->exact->finish(os::now());
        include(ended_, *found->exact);
        interval->not_before = std::max(interval->not_before, found->exact->last_held().value_or(nanoseconds{0}));
    }
    if (!is_recorded) {
        const auto last = read(what);
        const auto elapsed = last.time - interval->end;
        interval->start = interval->end;
        interval->seen = found->rules.at_end(last.seen, elapsed, is_late(elapsed, pace_.period()));
        write(*found->log, *interval);
    }
    for (sampled_interval& other : intervals_)
        if (other.gil != 0 && other.gil == interval->gil)
            other.not_before = std::max({other.not_before, interval->not_before, end_of_hold(*interval)});
    const auto sampled = found->sampled + (found->exact ? found->exact->sums().sampled : nanoseconds{0});
    intervals_.erase(interval);
    entries_.erase(found);
    return sampled;
}

model::sampling_record sampler::record() const {
    const std::lock_guard lock(mutex_);
    auto so_far = record_;
    so_far.recorded = ended_.recorded;
    so_far.cost += ended_.cost;
    for (const entry& each : entries_)
        if (each.exact)
            include(so_far, *each.exact);
    if (so_far.recorded)
        so_far.recorded->sampled += never_recorded_;
    return so_far;
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
    constexpr nanoseconds long_stretch = std::chrono::milliseconds{100};
    constexpr std::int64_t usual_ticks = 8;
    constexpr std::int64_t least_ticks = 2;
    record_.cost = os::thread_cpu_time();
    const auto ticks = record_.ticks - checked_.ticks;
    const auto passed = time - checked_.time;
    if (passed < stretch || ticks < (passed < long_stretch ? usual_ticks : least_ticks))
        return;
    const auto cost = cost_of_looking();
    const auto each = (cost - checked_.cost) / ticks;
    checked_ = {time, cost, record_.ticks};
    known_costs[before_each_look_ ? 1 : 0].note(each, entries_.size());
    set_pace(each);
}

// Collecting records is paid for by their allowance, and gets no cheaper when it is done more rarely.
nanoseconds sampler::cost_of_looking() const noexcept {
    return std::max(checked_.cost, record_.cost - collected_ * recording_allowance::collecting_cost);
}

void sampler::set_pace(nanoseconds cost_of_a_look) noexcept {
    pace_.adapt(cost_of_a_look);
    if (pace_.period() > record_.period)
        record_.widest_period = std::max(record_.widest_period.value_or(nanoseconds{0}), pace_.period());
}

void sampler::look(nanoseconds time, nanoseconds step) noexcept {
    if (before_each_look_)
        before_each_look_();
    for (std::size_t i = 0; i < entries_.size(); ++i) {
        if (entries_[i].exact && entries_[i].exact->is_recording())
            collect(entries_[i], intervals_[i], time);
        else
            sample(entries_[i], intervals_[i], time, step);
    }
    attribute_gil(intervals_);
    for (std::size_t i = 0; i < entries_.size(); ++i) {
        write(*entries_[i].log, intervals_[i]);
        if (entries_[i].exact && !entries_[i].exact->is_recording())
            entries_[i].exact->resume(intervals_[i].end);
    }
}

void sampler::sample(entry& thread, sampled_interval& interval, nanoseconds time, nanoseconds step) noexcept {
    const auto latest = read(*thread.what);
    interval.start = interval.end;
    interval.seen = {};
    const auto elapsed = latest.time - interval.start;
    if (elapsed <= nanoseconds{0})
        return;
    // The GIL was looked at before: an interruption since then makes this another moment.
    const bool late = is_late(elapsed, step) || latest.time - time > one_moment;
    interval.handovers = latest.seen.handovers - std::exchange(thread.handovers, latest.seen.handovers);
    interval.seen = thread.rules.apply(*thread.what, latest.seen, elapsed, late);
    if (!thread.exact && thread.could_be_recorded) {
        never_recorded_ += elapsed;
        thread.sampled += elapsed;
    }
    interval.end = latest.time;
}

void sampler::collect(entry& thread, sampled_interval& interval, nanoseconds time) noexcept {
    interval.start = std::exchange(interval.end, time);
    interval.seen = {};
    const auto before = thread.exact->collected();
    const bool goes_on = thread.exact->collect(time);
    collected_ += thread.exact->collected() - before;
    if (!goes_on) {
        thread.rules = {};
        thread.rules.apply(*thread.what, read(*thread.what).seen, nanoseconds{0});
        interval.end = thread.exact->paused_since();
    }
    // No time in which this thread held the GIL is attributed to threads that are sampled.
    if (const auto held = thread.exact->last_held(); held && *held > interval.start)
        interval.not_before = interval.end;
}

std::shared_ptr<recording_allowance> sampler::allowance_for(std::uintptr_t gil) const {
    for (std::size_t i = 0; i < entries_.size(); ++i)
        if (entries_[i].exact && gil != 0 && intervals_[i].gil == gil)
            return entries_[i].exact->allowance();
    return std::make_shared<recording_allowance>();
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

void sampler::write(sample_log& log, const sampled_interval& interval) noexcept {
    auto time = interval.start;
    for (const auto& part : interval.seen.parts) {
        const auto start = std::exchange(time, time + part.length);
        if (part.length > nanoseconds{0})
            log.append(start, time, part.state, part.gil, part.core);
    }
}

} // namespace xcores::run
