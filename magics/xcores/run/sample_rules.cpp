// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/run/sample_rules.hpp>

#include <algorithm>
#include <utility>

namespace xcores::run {

using model::gil_state;
using model::thread_state;

namespace {

/// The CPU clock of another process advances with the ticks of the system, which are no longer than this. Progress
/// beyond that and the elapsed time is the work of several threads.
constexpr nanoseconds longest_jump = std::chrono::milliseconds{10};

/// A shorter segment is not shown, and a shorter time with or without the GIL is not worth a question.
constexpr nanoseconds worth_showing = std::chrono::milliseconds{1};

/// A thread that waits for the GIL wakes after each switch interval to ask for it again: that takes less.
constexpr nanoseconds asking_again = std::chrono::microseconds{50};

/// What two samples show.
struct sample_pair {
    segment before; ///< "running" means runnable
    segment now;
    nanoseconds ran{};
    nanoseconds elapsed{};
    bool was_about_to_begin = false;

    bool was_runnable() const { return before.state == thread_state::running; }
    bool is_runnable() const { return now.state == thread_state::running; }
    bool took() const { return before.gil != gil_state::held && now.gil == gil_state::held; }
    bool gave() const { return before.gil == gil_state::held && now.gil != gil_state::held; }
    bool ran_for_long() const { return ran > worth_showing; }
    nanoseconds rest() const { return elapsed - ran; }
};

segment part(segment what, nanoseconds length) {
    what.length = length;
    return what;
}

segment part(segment what, nanoseconds length, thread_state state) {
    what.state = state;
    return part(what, length);
}

segment in_question(segment what, gil_question question) {
    what.gil = question == gil_question::none ? what.gil : gil_state::unknown;
    return what;
}

/// On a core almost all the time and holding its GIL now: no other thread can have held it for long.
bool surely_held(gil_state gil, nanoseconds ran, nanoseconds elapsed) {
    return gil == gil_state::held && ran >= elapsed / 10 * 9;
}

segments late_sample(nanoseconds ran, nanoseconds elapsed, thread_state state) {
    const auto rest = state == thread_state::running ? thread_state::waiting_core : state;
    return {{{{ran, thread_state::running, gil_state::unknown, -1}, {elapsed - ran, rest, gil_state::unknown, -1}}}};
}

segments stopped(const sample_pair& pair) {
    return {{part(pair.before, pair.ran), part(pair.now, pair.rest())}};
}

segments gave(const sample_pair& pair) {
    const auto question = pair.ran_for_long() ? gil_question::before_giving : gil_question::none;
    return {
        {part(in_question(pair.before, question), pair.ran), part(pair.now, pair.rest(), thread_state::waiting_core)},
        question};
}

segments started(const sample_pair& pair) {
    const bool had_waited = pair.before.state == thread_state::waiting_gil && pair.now.gil == gil_state::not_held;
    const auto question = had_waited && pair.ran_for_long() ? gil_question::after_waiting : gil_question::none;
    return {{part(pair.before, pair.rest()), part(in_question(pair.now, question), pair.ran)}, question};
}

segments took(const sample_pair& pair) {
    const bool is_open = pair.ran_for_long() && !pair.was_about_to_begin;
    const auto question = is_open ? gil_question::after_taking : gil_question::none;
    return {
        {part(pair.before, pair.rest(), thread_state::waiting_core), part(in_question(pair.now, question), pair.ran)},
        question};
}

segments ran(const sample_pair& pair, nanoseconds& owed) {
    const auto due = std::clamp(owed, nanoseconds{0}, pair.elapsed);
    const auto rest = pair.elapsed - due;
    const bool without =
        pair.was_runnable() && pair.before.gil == gil_state::not_held && pair.now.gil == gil_state::not_held;
    const auto question = without && due > worth_showing ? gil_question::without : gil_question::none;
    if (std::min(due, rest) > worth_showing) {
        owed -= due;
        return {{part(pair.now, rest, thread_state::waiting_core), part(pair.now, due)}, question};
    }
    const bool mostly_ran = due >= rest;
    owed -= mostly_ran ? pair.elapsed : nanoseconds{0};
    const auto state = mostly_ran ? thread_state::running : thread_state::waiting_core;
    return {{segment{}, part(pair.now, pair.elapsed, state)}, question};
}

segments rested(const sample_pair& pair, nanoseconds& owed) {
    const auto& resting = pair.before.state == thread_state::unknown ? pair.now : pair.before;
    if (owed < std::min(pair.elapsed / 2, worth_showing))
        return {{segment{}, part(resting, pair.elapsed)}};
    const auto due = std::clamp(owed, nanoseconds{0}, pair.elapsed);
    owed -= due;
    const bool waits = pair.before.state == thread_state::waiting_gil && pair.now.state == thread_state::waiting_gil;
    return {{segment{due, thread_state::running, gil_state::unknown, pair.now.core}, part(resting, pair.elapsed - due)},
            waits ? gil_question::while_waiting : gil_question::none};
}

} // namespace

segment sample_rules::state_at(probe& thread, const probe::reading& sample, nanoseconds progress) const noexcept {
    const bool surely_runs = sample.gil == gil_state::held && progress > nanoseconds{0};
    auto state = surely_runs ? thread_state::waiting_core : thread.situation();
    const bool waited = latest_.state == thread_state::waiting_gil && sample.gil == gil_state::not_held;
    if (state == thread_state::waiting_core)
        state = waited && progress < asking_again ? thread_state::waiting_gil : thread_state::running;
    return {{}, state, sample.gil, sample.core};
}

segments sample_rules::apply(probe& thread, const probe::reading& sample, nanoseconds elapsed, bool late) noexcept {
    if (sample.cpu < nanoseconds{0}) {
        cpu_ = sample.cpu;
        latest_ = {elapsed, thread_state::unknown, sample.gil, sample.core};
        return {{segment{}, latest_}};
    }
    const auto progress = cpu_ < nanoseconds{0} ? nanoseconds{0} : sample.cpu - cpu_;
    cpu_ = sample.cpu;
    const auto now = state_at(thread, sample, progress);
    if (about_to_begin_)
        latest_.core = sample.core; // it may have been pinned since
    const sample_pair pair{std::exchange(latest_, now), now, std::min(progress, elapsed), elapsed,
                           std::exchange(about_to_begin_, false)};
    owed_ = std::max(owed_, std::min(owed_ + progress - pair.ran, longest_jump));
    if (late && !surely_held(now.gil, pair.ran, elapsed))
        return late_sample(pair.ran, elapsed, now.state);
    if (pair.was_runnable() && !pair.is_runnable())
        return stopped(pair);
    if (pair.was_runnable() && pair.gave())
        return gave(pair);
    if (pair.is_runnable() && !pair.was_runnable() && pair.before.state != thread_state::unknown)
        return started(pair);
    if (pair.is_runnable() && pair.was_runnable() && pair.took())
        return took(pair);
    owed_ += pair.ran;
    return pair.is_runnable() ? ran(pair, owed_) : rested(pair, owed_);
}

void sample_rules::is_about_to_begin() noexcept {
    about_to_begin_ = true;
    if (latest_.state == thread_state::running && latest_.gil == gil_state::not_held)
        latest_.gil = gil_state::unknown;
}

segments sample_rules::at_end(const probe::reading& sample, nanoseconds elapsed, bool late) const noexcept {
    if (sample.cpu < nanoseconds{0} || cpu_ < nanoseconds{0})
        return {};
    const auto ran = std::clamp(sample.cpu - cpu_, nanoseconds{0}, std::max(elapsed, nanoseconds{0}));
    const auto rest = elapsed - ran;
    if (late && !surely_held(latest_.gil, ran, elapsed))
        return late_sample(ran, elapsed, latest_.state);
    auto running = part(latest_, ran, thread_state::running);
    if (about_to_begin_)
        running.core = sample.core; // it may have been pinned since
    if (latest_.state == thread_state::running) {
        if (latest_.gil == gil_state::not_held && ran > worth_showing)
            running.gil = gil_state::unknown; // no code comes to its end without the GIL
        return rest > worth_showing ? segments{{running, {.length = rest}}} : segments{{segment{}, running}};
    }
    if (latest_.state == thread_state::unknown || ran < asking_again)
        return {};
    running.gil = gil_state::unknown;
    return {{part(latest_, rest), running}};
}

} // namespace xcores::run
