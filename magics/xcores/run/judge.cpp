// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/run/judge.hpp>

#include <algorithm>
#include <utility>

namespace xcores::run {

using model::gil_state;
using model::thread_state;

namespace {

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

/// What threads that wait for a GIL spend on asking for it again comes on top: one part in so many.
constexpr int spent_on_asking = 10;

bool is_hold(const judge::piece& one) {
    return one.length > nanoseconds{0} && one.state == thread_state::running && one.gil == gil_state::held;
}

/// Had the GIL at both looks and did not run: it waited for a core, or it gave the GIL away and got it back.
bool is_pause(const judge::piece& one) {
    return one.length > nanoseconds{0} && one.state == thread_state::waiting_core && one.gil == gil_state::held;
}

nanoseconds held_by(const judge::verdict& seen) {
    return (is_hold(seen.first) ? seen.first.length : nanoseconds{0}) +
           (is_hold(seen.second) ? seen.second.length : nanoseconds{0});
}

/// Somebody else had its turn: half of what it ran was before that.
void give_way(judge::verdict& seen) {
    auto& pause = is_pause(seen.first) ? seen.first : seen.second;
    pause.state = thread_state::waiting_gil;
    pause.gil = gil_state::not_held;
    if (!is_hold(seen.second))
        return;
    seen.third = seen.second;
    seen.second = std::exchange(seen.first, seen.second);
    seen.first.length /= 2;
    seen.third.length -= seen.first.length;
}

bool wants_gil(const judge::piece& one) {
    return one.state == thread_state::waiting_gil || is_hold(one) || is_pause(one);
}

/// At both looks.
bool wanted_gil(const judge::verdict& seen) {
    if (seen.about == judge::doubt::between)
        return true;
    const auto& first = seen.first.length > nanoseconds{0} ? seen.first : seen.second;
    const auto& last = seen.second.length > nanoseconds{0} ? seen.second : seen.first;
    return seen.about == judge::doubt::none && wants_gil(first) && wants_gil(last);
}

/// What the threads of one GIL did between the looks, and leave of that time.
class round_of_turns {
public:
    /// `doubting`: also whether what seems to have run without the GIL did so.
    round_of_turns(std::span<const turn> all, std::uintptr_t gil, bool doubting) : doubting_(doubting) {
        for (const turn& one : all)
            if (one.gil == gil)
                include(one);
    }
    bool fits() const {
        const auto all = movable_ + fixed_;
        return wanted_ && !(doubting_ && any_pause_) && handovers_ >= takers_ &&
               all - all / spent_on_asking + elsewhere_ <= room() + fixed_;
    }
    bool somebody_else_had_it() const {
        return handovers_ > 0 && (held_ > nanoseconds{0} || (movable_ + fixed_ > nanoseconds{0} && fits()));
    }
    bool is_movable(const turn& one) const {
        return one.seen.about == doubt::between || one.seen.about == doubt::tail ||
               (doubting_ && one.seen.about == doubt::without);
    }
    /// Of what `movable` ran, what it spent on asking.
    nanoseconds asking(nanoseconds movable) const {
        const auto all = std::clamp(movable_ - room(), nanoseconds{0}, movable_);
        return nanoseconds{all.count() * movable.count() / std::max<std::int64_t>(1, movable_.count())};
    }
    nanoseconds start() const { return free_.start; }

private:
    using doubt = judge::doubt;
    nanoseconds room() const { return free_.end - free_.start; }

    void include(const turn& one) {
        if (one.end <= one.start) // it only just began
            return;
        const auto& seen = one.seen;
        free_.start = std::max(free_.start, one.not_before);
        const bool pauses = is_pause(seen.first) || is_pause(seen.second);
        any_pause_ = any_pause_ || pauses;
        auto start = one.start;
        auto end = one.end;
        if (pauses && is_hold(seen.second)) {
            start += seen.second.length / 2;
            end -= seen.second.length - seen.second.length / 2;
        } else {
            start += is_hold(seen.first) || seen.about == doubt::front ? seen.first.length : nanoseconds{0};
            end -= is_hold(seen.second) || seen.about == doubt::back ? seen.second.length : nanoseconds{0};
        }
        free_ = {std::max(free_.start, start), std::min(free_.end, end)};
        held_ += pauses ? nanoseconds{0} : held_by(seen);
        if (is_movable(one))
            movable_ += (seen.about == doubt::between ? seen.first : seen.second).length;
        if (seen.about == doubt::front || seen.about == doubt::back)
            fixed_ += (seen.about == doubt::front ? seen.first : seen.second).length;
        for (const auto& piece : {seen.first, seen.second})
            if (seen.about == doubt::none && piece.state == thread_state::running && piece.gil == gil_state::unknown)
                elsewhere_ += piece.length;
        takers_ += is_movable(one) ? 1 : 0;
        handovers_ = std::max(handovers_, one.handovers);
        wanted_ = wanted_ || wanted_gil(seen);
    }

    const bool doubting_;
    model::interval free_{nanoseconds::min(), nanoseconds::max()};
    nanoseconds held_{};
    nanoseconds movable_{};
    nanoseconds fixed_{};
    nanoseconds elsewhere_{};  ///< what threads ran, perhaps with the GIL, of which nothing will be deduced
    std::uint64_t takers_ = 0; ///< who must have been handed the GIL, if they had it
    std::uint64_t handovers_ = 0;
    bool wanted_ = false; ///< by one of them, all the time
    bool any_pause_ = false;
};

/// Somewhere between the looks with the GIL; `at` is the time that the next one begins.
judge::verdict placed(const turn& one, const round_of_turns& sum, nanoseconds& at) {
    const bool is_between = one.seen.about == judge::doubt::between;
    auto held = is_between ? one.seen.first : one.seen.second;
    auto before = is_between ? one.seen.second : one.seen.first;
    auto asked = held;
    asked.gil = gil_state::not_held;
    asked.length = sum.asking(held.length);
    held.length -= asked.length;
    held.gil = gil_state::held;
    auto rest = before;
    rest.state = is_between ? before.state : thread_state::waiting_core;
    before.length = std::clamp(at - one.start, nanoseconds{0}, rest.length);
    rest.length -= before.length;
    at += held.length;
    return {.first = before, .second = held, .third = asked, .fourth = rest};
}

void place(std::span<turn> all, const round_of_turns& sum, std::uintptr_t gil) noexcept {
    using doubt = judge::doubt;
    const bool fits = sum.fits();
    auto at = sum.start();
    for (turn& one : all) {
        if (one.gil != gil)
            continue;
        if (sum.somebody_else_had_it() && (is_pause(one.seen.first) || is_pause(one.seen.second)))
            give_way(one.seen);
        if (fits && sum.is_movable(one))
            one.seen = placed(one, sum, at);
        else if (fits && (one.seen.about == doubt::front || one.seen.about == doubt::back))
            (one.seen.about == doubt::front ? one.seen.first : one.seen.second).gil = gil_state::held;
        one.seen.about = doubt::none;
    }
}

void place(std::span<turn> all, std::uintptr_t gil) noexcept {
    const round_of_turns everything(all, gil, true);
    place(all, everything.fits() ? everything : round_of_turns(all, gil, false), gil);
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
    const bool begins = cpu_ < nanoseconds{0};
    const bool had_begun = std::exchange(about_to_begin_, false);
    const auto progress = begins ? nanoseconds{0} : reading.cpu - cpu_;
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
    // That it held it at one of them does not say for how much of a longer time, except when it had only begun.
    const bool unclear = runnable && ran > worth_a_cut && (was_runnable ? (got && !had_begun) || gave : had_waited);
    const auto running = [unclear](piece one) {
        one.gil = unclear ? gil_state::unknown : one.gil;
        return one;
    };
    if (was_runnable && (!runnable || gave)) {
        now.state = runnable ? thread_state::waiting_core : now.state;
        return {.first = of_length(running(before), ran),
                .second = of_length(now, elapsed - ran),
                .about = unclear ? doubt::front : doubt::none};
    }
    if (runnable && (was_runnable ? got : before.state != thread_state::unknown)) {
        auto waited = before;
        waited.state = was_runnable ? thread_state::waiting_core : before.state;
        return {.first = of_length(waited, elapsed - ran),
                .second = of_length(running(now), ran),
                .about = !unclear       ? doubt::none
                         : was_runnable ? doubt::back
                                        : doubt::tail};
    }
    owed_ += ran;
    const auto due = std::clamp(owed_, nanoseconds{0}, elapsed);
    const auto rest = elapsed - due;
    if (runnable) {
        auto waited = now;
        waited.state = thread_state::waiting_core;
        const bool without = was_runnable && before.gil == gil_state::not_held && now.gil == gil_state::not_held;
        const auto about = without && due > worth_a_cut ? doubt::without : doubt::none;
        if (std::min(due, rest) <= worth_a_cut) {
            const bool mostly_ran = due >= rest;
            owed_ -= mostly_ran ? elapsed : nanoseconds{0};
            return {.first = {}, .second = of_length(mostly_ran ? now : waited, elapsed), .about = about};
        }
        owed_ -= due;
        return {.first = of_length(waited, rest), .second = of_length(now, due), .about = about};
    }
    const auto& rested = before.state == thread_state::unknown ? now : before;
    if (owed_ < std::min(elapsed / 2, worth_a_cut))
        return {{}, of_length(rested, elapsed)};
    owed_ -= due;
    const bool waits = before.state == thread_state::waiting_gil && now.state == thread_state::waiting_gil;
    return {.first = {due, thread_state::running, gil_state::unknown, now.core},
            .second = of_length(rested, rest),
            .about = waits ? doubt::between : doubt::none};
}

void judge::is_about_to_begin() noexcept {
    about_to_begin_ = true;
    if (before_.state == thread_state::running && before_.gil == gil_state::not_held)
        before_.gil = gil_state::unknown;
}

judge::verdict judge::last_words(const probe::reading& reading, nanoseconds elapsed, bool late) const noexcept {
    if (reading.cpu < nanoseconds{0} || cpu_ < nanoseconds{0})
        return {};
    const auto ran = std::clamp(reading.cpu - cpu_, nanoseconds{0}, std::max(elapsed, nanoseconds{0}));
    if (late && !surely_held(before_.gil, ran, elapsed))
        return unseen(ran, elapsed, before_.state);
    auto on = before_;
    on.length = ran;
    if (before_.state == thread_state::running) {
        if (before_.gil == gil_state::not_held && ran > worth_a_cut)
            on.gil = gil_state::unknown; // without it no code comes to its end
        const auto rest = elapsed - ran;
        return rest > worth_a_cut ? verdict{on, {.length = rest}} : verdict{{}, on};
    }
    if (before_.state == thread_state::unknown || ran < asking_again)
        return {};
    on.state = thread_state::running;
    on.gil = gil_state::unknown;
    auto waited = before_;
    waited.length = elapsed - ran;
    return {waited, on};
}

nanoseconds end_of_hold(const turn& one) noexcept {
    auto at = one.start;
    nanoseconds end{};
    for (const auto& piece : {one.seen.first, one.seen.second, one.seen.third, one.seen.fourth}) {
        at += piece.length;
        end = is_hold(piece) ? at : end;
    }
    return end;
}

void place_turns(std::span<turn> all) noexcept {
    for (const turn& one : all)
        if (one.gil != 0 &&
            (one.seen.about != judge::doubt::none || is_pause(one.seen.first) || is_pause(one.seen.second)))
            place(all, one.gil);
}

} // namespace xcores::run
