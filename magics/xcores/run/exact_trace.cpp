// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/run/exact_trace.hpp>

#include <algorithm>

namespace xcores::run {

using model::gil_state;
using model::thread_state;

namespace {

/// A thread that rests and wants the GIL within this has wanted it all the time.
constexpr nanoseconds at_once = std::chrono::microseconds{50};

gil_state gil_of(exact_trace::relation relation) {
    switch (relation) {
    case exact_trace::relation::holding:
        return gil_state::held;
    case exact_trace::relation::wanting:
    case exact_trace::relation::without:
        return gil_state::not_held;
    case exact_trace::relation::unknown:
        break;
    }
    return gil_state::unknown;
}

thread_state asleep(exact_trace::relation relation) {
    switch (relation) {
    case exact_trace::relation::holding:
    case exact_trace::relation::without:
        return thread_state::blocked;
    case exact_trace::relation::wanting:
        return thread_state::waiting_gil;
    case exact_trace::relation::unknown:
        break;
    }
    return thread_state::unknown;
}

thread_state state_of(exact_trace::place where, exact_trace::relation relation) {
    switch (where) {
    case exact_trace::place::on_core:
        return thread_state::running;
    case exact_trace::place::waiting_core:
        return thread_state::waiting_core;
    case exact_trace::place::asleep:
        return asleep(relation);
    case exact_trace::place::unknown:
    case exact_trace::place::runnable:
    case exact_trace::place::nowhere:
        break;
    }
    return thread_state::unknown;
}

} // namespace

void exact_trace::begin(nanoseconds time, place where, int core, relation gil) {
    begin(time, where, core);
    relation_ = gil;
    wanted_ = time;
}

void exact_trace::begin(nanoseconds time, place where, int core) {
    start_ = time;
    placed_ = time;
    place_ = where;
    core_ = core;
    accounted_ = nanoseconds{0};
}

void exact_trace::take(const thread_event& event) {
    using kind = thread_event::kind;
    if (is_runnable())
        decide_place(event.what != kind::on_core);
    switch (event.what) {
    case kind::on_core:
        ++sums_.switches;
        return get_core(event.time, event.core);
    case kind::preempted:
        ++sums_.preemptions;
        return move_to(event.time, place::waiting_core, event.core);
    case kind::off_core:
        return move_to(event.time, place::asleep, event.core);
    case kind::ended:
        return move_to(event.time, place::nowhere, -1);
    case kind::lost:
        place_ = place::unknown;
        return move_to(event.time, place::on_core, event.core); // a thread that writes a record is on a core
    case kind::wants_gil:
        return become(event.time, relation::wanting);
    case kind::takes_gil:
        ++sums_.acquisitions;
        return become(event.time, relation::holding);
    case kind::gives_gil:
        return become(event.time, relation::without);
    case kind::rests:
        rested_ = event.time;
        return become(event.time, relation::without);
    }
}

void exact_trace::move_to(nanoseconds time, place where, int core) {
    end_span(time);
    place_ = where;
    core_ = core;
    placed_ = time;
}

void exact_trace::get_core(nanoseconds time, int core) {
    const auto start = std::max(start_, time - switch_cost_);
    const bool has_slept = place_ == place::asleep;
    if (place_ == place::waiting_core)
        accounted_ += start - placed_;
    const auto kept = kept_count_;
    move_to(start, place::on_core, core);
    if (has_slept && kept_count_ > kept) {
        kept_[kept].has_woken = true;
        ++woken_;
    }
    on_core_ -= time - start;
}

void exact_trace::become(nanoseconds time, relation gil) {
    end_span(time);
    if (relation_ == relation::wanting && gil == relation::holding)
        sums_.longest_wait = std::max(sums_.longest_wait, time - wanted_);
    if (relation_ != relation::wanting && gil == relation::wanting && time - at_once > rested_)
        wanted_ = time;
    relation_ = gil;
}

// An event may be older than what has been settled, by what it takes to write a record: it counts from there on.
void exact_trace::end_span(nanoseconds time) {
    const piece ended{.start = start_, .end = time, .where = place_, .core = core_, .gil = relation_};
    if (time <= ended.start)
        return;
    start_ = time;
    if (place_ == place::nowhere)
        return;
    if (relation_ == relation::holding)
        last_held_ = time;
    on_core_ += place_ == place::on_core ? ended.length() : nanoseconds{0};
    if (kept_count_ == most_kept)
        release();
    kept_[kept_count_++] = ended;
}

void exact_trace::settle(nanoseconds time, std::optional<nanoseconds> queue_wait) {
    end_span(time);
    if (queue_wait && woken_ > 0)
        put_waits_at_ends_of_sleeps(*queue_wait);
    release();
}

// How long each of several waits was is not known. The longest sleeps are taken for those that ended in waiting: they
// are cut down to one length, as far as that takes.
void exact_trace::put_waits_at_ends_of_sleeps(nanoseconds queue_wait) {
    auto left = std::max(nanoseconds{0}, queue_wait - accounted_);
    accounted_ = std::max(accounted_, queue_wait);
    std::array<piece*, most_kept> sleeps;
    std::size_t count = 0;
    for (std::size_t i = 0; i < kept_count_; ++i)
        if (kept_[i].has_woken)
            sleeps[count++] = &kept_[i];
    std::sort(sleeps.begin(), sleeps.begin() + count,
              [](const piece* a, const piece* b) { return a->length() > b->length(); });
    for (std::size_t cut = 1; cut <= count && left > nanoseconds{0}; ++cut) { // so many are of one length now
        const auto next = cut < count ? sleeps[cut]->length() : nanoseconds{0};
        const auto number = static_cast<std::int64_t>(cut);
        const auto each = std::min(sleeps[cut - 1]->length() - next, left / number);
        for (std::size_t i = 0; i < cut; ++i)
            sleeps[i]->waited += each;
        left -= each * number;
        if (sleeps[cut - 1]->length() - next > each)
            break;
    }
}

void exact_trace::release() {
    for (std::size_t i = 0; i < kept_count_; ++i) {
        const piece& each = kept_[i];
        emit(each.start, each.end - each.waited, each);
        if (each.waited > nanoseconds{0})
            emit(each.end - each.waited, each.end, {.where = place::waiting_core, .core = each.core, .gil = each.gil});
    }
    kept_count_ = 0;
    woken_ = 0;
}

void exact_trace::emit(nanoseconds start, nanoseconds end, const piece& what) {
    const bool has_core = what.where == place::on_core || what.where == place::waiting_core;
    if (start < end)
        into_({start, end, state_of(what.where, what.gil), gil_of(what.gil), has_core ? what.core : -1});
}

} // namespace xcores::run
