// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/run/gil_attribution.hpp>

#include <algorithm>
#include <utility>

namespace xcores::run {

using model::gil_state;
using model::thread_state;

namespace {

/// What threads that wait for a GIL spend on asking for it again comes on top: one part in so many.
constexpr int spent_on_asking = 10;

bool is_hold(const segment& part) {
    return part.length > nanoseconds{0} && part.state == thread_state::running && part.gil == gil_state::held;
}

/// Held the GIL at both samples and did not run: it waited for a core, or it gave the GIL away and got it back.
bool is_pause(const segment& part) {
    return part.length > nanoseconds{0} && part.state == thread_state::waiting_core && part.gil == gil_state::held;
}

bool has_pause(const segments& seen) {
    return is_pause(seen[0]) || is_pause(seen[1]);
}

bool wants_gil(const segment& part) {
    return part.state == thread_state::waiting_gil || is_hold(part) || is_pause(part);
}

/// At both samples.
bool wanted_gil(const segments& seen) {
    if (seen.question != gil_question::none)
        return seen.question == gil_question::while_waiting;
    const auto& first = seen[0].length > nanoseconds{0} ? seen[0] : seen[1];
    const auto& last = seen[1].length > nanoseconds{0} ? seen[1] : seen[0];
    return wants_gil(first) && wants_gil(last);
}

/// The segment that a question is about.
std::size_t place_in_question(gil_question question) {
    return question == gil_question::while_waiting || question == gil_question::before_giving ? 0 : 1;
}

/// That segment is next to the sample at which the thread held the GIL.
bool is_next_to_a_hold(gil_question question) {
    return question == gil_question::before_giving || question == gil_question::after_taking;
}

/// The thread held the GIL at both samples, and another one did in between: half of what it ran was before that.
void show_handed_back(segments& seen) {
    auto& pause = is_pause(seen[0]) ? seen[0] : seen[1];
    pause.state = thread_state::waiting_gil;
    pause.gil = gil_state::not_held;
    if (!is_hold(seen[1]))
        return;
    seen[2] = seen[1];
    seen[1] = std::exchange(seen[0], seen[1]);
    seen[0].length /= 2;
    seen[2].length -= seen[0].length;
}

/// What all threads of one GIL did between two samples.
class gil_interval {
public:
    /// `doubts_without`: the GIL is in question for threads, too, that seem to have run without it.
    gil_interval(std::span<const sampled_interval> all, std::uintptr_t gil, bool doubts_without)
        : doubts_without_(doubts_without) {
        for (const sampled_interval& thread : all)
            if (thread.gil == gil && thread.end > thread.start) // else it has only just begun
                include(thread);
    }
    /// All that ran in question can have run with the GIL, and some thread must have held it.
    bool fits() const {
        const auto all = movable_ + fixed_;
        return wanted_ && !(doubts_without_ && any_pause_) && handovers_ >= takers_ &&
               all - all / spent_on_asking + elsewhere_ <= free_.length() + fixed_;
    }
    bool was_handed_over() const {
        return handovers_ > 0 && (held_ > nanoseconds{0} || (movable_ + fixed_ > nanoseconds{0} && fits()));
    }
    /// Nothing tells when it ran with the GIL.
    bool is_movable(gil_question question) const {
        return question == gil_question::while_waiting || question == gil_question::after_waiting ||
               (doubts_without_ && question == gil_question::without);
    }
    /// The part of `movable` that was spent on asking.
    nanoseconds asking(nanoseconds movable) const {
        const auto all = std::clamp(movable_ - free_.length(), nanoseconds{0}, movable_);
        return nanoseconds{all.count() * movable.count() / std::max<std::int64_t>(1, movable_.count())};
    }
    nanoseconds start() const { return free_.start; }

private:
    void include(const sampled_interval& thread) {
        const auto& seen = thread.seen;
        const auto in_question = seen[place_in_question(seen.question)].length;
        include_holds(thread);
        if (is_movable(seen.question)) {
            movable_ += in_question;
            ++takers_;
        }
        if (is_next_to_a_hold(seen.question))
            fixed_ += in_question;
        if (seen.question == gil_question::none)
            for (const auto& part : {seen[0], seen[1]})
                if (part.state == thread_state::running && part.gil == gil_state::unknown)
                    elsewhere_ += part.length;
        handovers_ = std::max(handovers_, thread.handovers);
        wanted_ = wanted_ || wanted_gil(seen);
    }

    /// Narrows the time that the thread leaves free: it held the GIL at the beginning, at the end, or both.
    void include_holds(const sampled_interval& thread) {
        const auto& seen = thread.seen;
        const bool pauses = has_pause(seen);
        auto at_start =
            is_hold(seen[0]) || seen.question == gil_question::before_giving ? seen[0].length : nanoseconds{0};
        auto at_end = is_hold(seen[1]) || seen.question == gil_question::after_taking ? seen[1].length : nanoseconds{0};
        if (pauses && is_hold(seen[1])) {
            at_start = seen[1].length / 2;
            at_end = seen[1].length - at_start;
        } else if (!pauses) {
            held_ += is_hold(seen[0]) ? seen[0].length : nanoseconds{0};
            held_ += is_hold(seen[1]) ? seen[1].length : nanoseconds{0};
        }
        any_pause_ = any_pause_ || pauses;
        free_ = {std::max({free_.start, thread.not_before, thread.start + at_start}),
                 std::min(free_.end, thread.end - at_end)};
    }

    const bool doubts_without_;
    model::interval free_{nanoseconds::min(), nanoseconds::max()}; ///< no thread was seen to hold the GIL
    nanoseconds held_{};                                           ///< by threads that were seen to
    nanoseconds movable_{};                                        ///< in question, at some time
    nanoseconds fixed_{};                                          ///< in question, next to a sample
    nanoseconds elsewhere_{};  ///< what threads ran, perhaps with the GIL, of which nothing will be deduced
    std::uint64_t takers_ = 0; ///< must have been handed the GIL, if they had it
    std::uint64_t handovers_ = 0;
    bool wanted_ = false; ///< by a thread, all the time
    bool any_pause_ = false;
};

/// The segments of a thread that ran with the GIL at some time; `start` is when the next one begins.
segments shown_at(nanoseconds& start, const sampled_interval& thread, const gil_interval& sum) {
    const auto question = thread.seen.question;
    const auto place = place_in_question(question);
    auto held = thread.seen[place];
    auto before = thread.seen[1 - place];
    auto asked = held;
    asked.gil = gil_state::not_held;
    asked.length = sum.asking(held.length);
    held.length -= asked.length;
    held.gil = gil_state::held;
    auto after = before;
    if (question != gil_question::while_waiting)
        after.state = thread_state::waiting_core;
    before.length = std::clamp(start - thread.start, nanoseconds{0}, after.length);
    after.length -= before.length;
    start += held.length;
    return {{before, held, asked, after}};
}

void answer(std::span<sampled_interval> all, const gil_interval& sum, std::uintptr_t gil) noexcept {
    const bool fits = sum.fits();
    auto start = sum.start();
    for (sampled_interval& thread : all) {
        if (thread.gil != gil)
            continue;
        const auto question = thread.seen.question;
        if (sum.was_handed_over() && has_pause(thread.seen))
            show_handed_back(thread.seen);
        if (fits && sum.is_movable(question))
            thread.seen = shown_at(start, thread, sum);
        else if (fits && is_next_to_a_hold(question))
            thread.seen[place_in_question(question)].gil = gil_state::held;
        thread.seen.question = gil_question::none;
    }
}

void answer(std::span<sampled_interval> all, std::uintptr_t gil) noexcept {
    const gil_interval everything(all, gil, true);
    answer(all, everything.fits() ? everything : gil_interval(all, gil, false), gil);
}

} // namespace

nanoseconds end_of_hold(const sampled_interval& thread) noexcept {
    auto time = thread.start;
    nanoseconds end{};
    for (const auto& part : thread.seen.parts) {
        time += part.length;
        end = is_hold(part) ? time : end;
    }
    return end;
}

void attribute_gil(std::span<sampled_interval> all) noexcept {
    for (const sampled_interval& thread : all)
        if (thread.gil != 0 && (thread.seen.question != gil_question::none || has_pause(thread.seen)))
            answer(all, thread.gil);
}

} // namespace xcores::run
