// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/run/exact_source.hpp>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <string_view>
#include <utility>

#include <sys/resource.h>

#include <xcores/os/clock.hpp>
#include <xcores/os/fork_count.hpp>

namespace xcores::run {

using kind = thread_event::kind;
using place = exact_trace::place;
using relation = exact_trace::relation;

namespace {

/// Each takes two descriptors: of those that this process may have, most are for the notebook.
constexpr rlim_t descriptors_each = 2;
constexpr rlim_t part_for_recording = 4;
constexpr int most_at_once = 256;

/// How many threads are recorded. A forked child begins anew.
class recorded_count {
public:
    int get() noexcept {
        if (counted_in_.exchange(os::fork_count()) != os::fork_count())
            count_ = 0;
        return count_;
    }
    void add(int number) noexcept { count_ += number; }

private:
    std::atomic<int> count_ = 0;
    std::atomic<unsigned> counted_in_ = 0;
};
recorded_count recorded_threads;
std::atomic<nanoseconds> known_switch_cost{};

int most_recorded() noexcept {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 0;
    return static_cast<int>(std::min<rlim_t>(most_at_once, limit.rlim_cur / part_for_recording / descriptors_each));
}

bool is_switched_off() {
    static const bool switched_off = [] {
        const char* const set = std::getenv("XCORES_EXACT");
        return set && std::string_view(set) == "0";
    }();
    return switched_off;
}

place place_of(model::thread_state situation, bool adds_itself) {
    if (adds_itself)
        return place::on_core;
    if (situation == model::thread_state::waiting_core)
        return place::runnable;
    return situation == model::thread_state::unknown ? place::unknown : place::asleep;
}

relation relation_of(model::gil_state gil, model::thread_state situation, bool adds_itself) {
    if (gil == model::gil_state::held)
        return relation::holding;
    if (adds_itself)
        return relation::without;
    if (gil == model::gil_state::unknown)
        return relation::unknown;
    return situation == model::thread_state::waiting_gil ? relation::wanting : relation::without;
}

} // namespace

std::unique_ptr<exact_source> exact_source::open(probe& what, sample_log& log,
                                                 std::shared_ptr<recording_allowance> allowance, bool adds_itself) {
    if (is_switched_off())
        return nullptr;
    const auto recordable = what.what_to_record();
    if (!recordable)
        return nullptr;
    if (recorded_threads.get() >= most_recorded())
        return nullptr;
    try {
        return std::make_unique<exact_source>(what, log, *recordable, std::move(allowance), adds_itself);
    } catch (const std::system_error&) { // refusal() tells why
        return nullptr;
    }
}

std::error_code exact_source::refusal(const void* code) noexcept {
    if (is_switched_off())
        return std::make_error_code(std::errc::operation_canceled);
    const auto refused = os::thread_events::refusal();
    return refused ? refused : os::lock_events::refusal(code);
}

exact_source::exact_source(probe& what, sample_log& log, const probe::recordable& recordable,
                           std::shared_ptr<recording_allowance> allowance, bool adds_itself)
    : probe_(what), made_in_(os::fork_count()), allowance_(std::move(allowance)), switches_(recordable.native_id),
      queue_(recordable.native_id),
      trace_([&log](const model::span& each) { log.append(each.start, each.end, each.state, each.gil, each.core); }) {
    if (recordable.gil.mutex)
        gil_.emplace(recordable.native_id, recordable.gil, recordable.code);
    begin(os::now(), adds_itself);
    recorded_threads.add(1);
}

exact_source::~exact_source() {
    if (made_in_ == os::fork_count())
        recorded_threads.add(-1);
}

void exact_source::begin(nanoseconds time, bool adds_itself) {
    allowance_->begin(time);
    // Records of what happens from here on are there already when this is read: they lead to the same in the end.
    probe_.look_anew();
    const auto seen = probe_.read();
    const auto situation = adds_itself ? model::thread_state::waiting_core : probe_.situation();
    trace_.begin(time, place_of(situation, adds_itself), seen.core,
                 gil_ ? relation_of(seen.gil, situation, adds_itself) : relation::without);
    trace_.set_switch_cost(known_switch_cost);
    set_baseline(time, seen.cpu);
}

void exact_source::set_baseline(nanoseconds time, nanoseconds cpu) noexcept {
    last_switch_ = time;
    since_ = {time, cpu, trace_.on_core(), trace_.sums().switches, queue_.waited()};
}

bool exact_source::collect(nanoseconds time) {
    if (switches_.is_full())
        go_on_after_loss();
    learn_switch_cost();
    drain(time);
    allowance_->save(time);
    if (has_lost() || allowance_->is_spent()) {
        pause();
        return false;
    }
    settle(time);
    return true;
}

// Between the last record for which there was room and now nothing is known, unless a newer one tells of the loss.
void exact_source::go_on_after_loss() {
    has_missed_ = true;
    drain(nanoseconds::max());
    has_missed_ = false;
    const auto time = os::now();
    trace_.settle(time);
    probe_.look_anew();
    const auto seen = probe_.read();
    trace_.begin(time, place_of(probe_.situation(), false), seen.core);
    set_baseline(time, seen.cpu);
}

void exact_source::settle(nanoseconds time) {
    if (trace_.is_runnable())
        trace_.decide_place(2 * (probe_.cpu() - since_.cpu) > time - since_.time);
    const auto waited = trace_.has_woken() && since_.waited ? queue_.waited() : std::nullopt;
    trace_.settle(time, waited ? std::optional(*waited - *since_.waited) : std::nullopt);
}

// The clock of a thread includes the context switch that brings it to a core, the record is made at the end of that:
// 15 to 30 us were missing for each on a virtual machine, 40 under AddressSanitizer, less than one elsewhere. At the
// other end, the record is made 2 us after the clock has stopped. What counts is the difference: it is learned before
// the records are taken out, so that it holds for the first ones too, however late they are collected.
void exact_source::learn_switch_cost() noexcept {
    constexpr std::int64_t fewest_switches = 32;
    constexpr nanoseconds least = std::chrono::microseconds{-10};
    constexpr nanoseconds most = std::chrono::microseconds{100};
    constexpr nanoseconds one_moment = std::chrono::microseconds{20};
    const auto time = os::now();
    const auto cpu = probe_.cpu();
    if (cpu < nanoseconds{0} || since_.cpu < nanoseconds{0} || !trace_.knows_place() || os::now() - time > one_moment)
        return;
    const auto pending = switches_.ahead(trace_.on_core_since(), time);
    const auto switches = trace_.sums().switches - since_.switches + pending.switches;
    if (switches < fewest_switches)
        return;
    const auto missing = (cpu - since_.cpu) - (trace_.on_core() - since_.on_core + pending.on_core);
    known_switch_cost = std::clamp(missing / switches, least, most);
    trace_.set_switch_cost(known_switch_cost);
}

void exact_source::pause() {
    if (switches_.is_full())
        go_on_after_loss();
    switches_.pause();
    if (gil_)
        gil_->pause();
    const auto start = os::now();
    drain(start);
    settle(start);
    pause_ = {start, allowance_->pause(start)};
}

void exact_source::resume(nanoseconds time) {
    if (time < pause_->end)
        return;
    switches_.resume();
    if (gil_)
        gil_->resume();
    begin(time, false);
    sampled_ += time - pause_->start;
    pause_.reset();
}

void exact_source::finish(nanoseconds time) {
    if (pause_) {
        sampled_ += time - pause_->start;
        return;
    }
    if (switches_.is_full())
        go_on_after_loss();
    learn_switch_cost();
    drain(time);
    settle(time);
}

model::recorded_events exact_source::sums() const noexcept {
    auto sums = trace_.sums();
    sums.sampled = sampled_;
    return sums;
}

// In order of time. What is newer stays: of the other source, something older may come yet.
void exact_source::drain(nanoseconds until) {
    for (;;) {
        const auto& moved = switches_.front();
        if (!moved && std::exchange(has_missed_, false)) {
            knows_of_loss_ = true;
            trace_.forget_place(last_switch_);
        }
        const auto gil = gil_ ? gil_->front() : std::nullopt;
        if (gil && gil->time <= until && (!moved || gil->time <= moved->time)) {
            take(*gil);
            gil_->pop();
        } else if (moved && moved->time <= until) {
            take(*moved);
            switches_.pop();
        } else {
            return;
        }
        if (!gil && has_lost())
            trace_.forget_gil(last_gil_event_);
    }
}

void exact_source::spend(nanoseconds cost_of_record) noexcept {
    ++collected_;
    cost_ += cost_of_record;
    allowance_->spend(cost_of_record + recording_allowance::collecting_cost);
}

void exact_source::take(const os::thread_events::record& what) {
    using event = os::thread_events::event;
    spend(recording_allowance::switch_cost);
    last_switch_ = what.time;
    if (std::exchange(knows_of_loss_, false) && what.kind == event::lost)
        return;
    has_missed_ = has_missed_ && what.kind != event::lost;
    switch (what.kind) {
    case event::on_core:
        return trace_.take({what.time, kind::on_core, what.core});
    case event::preempted:
        return trace_.take({what.time, kind::preempted, what.core});
    case event::off_core:
        return trace_.take({what.time, kind::off_core, what.core});
    case event::ended:
        return trace_.take({what.time, kind::ended, what.core});
    case event::lost:
        return trace_.take({what.time, kind::lost, what.core});
    }
}

void exact_source::take(const os::lock_events::record& what) {
    using event = os::lock_events::event;
    last_gil_event_ = what.time;
    spend(recording_allowance::gil_event_cost);
    switch (what.kind) {
    case event::wants:
        return trace_.take({what.time, kind::wants_gil});
    case event::takes:
        if (what.wanted < what.time)
            trace_.take({std::max(what.wanted, since_.time), kind::wants_gil});
        return trace_.take({what.time, kind::takes_gil});
    case event::gives:
        return trace_.take({what.time, kind::gives_gil});
    case event::rests:
        return trace_.take({what.time, kind::rests});
    }
}

} // namespace xcores::run
