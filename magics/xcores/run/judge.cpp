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

/// What the threads of one GIL leave of the time between the looks.
struct round_of_turns {
    model::interval free{nanoseconds::min(), nanoseconds::max()};
    nanoseconds held{};
    nanoseconds wanted{};

    void include(const turn& one) {
        const auto& [first, second, third, fourth, floats] = one.seen;
        const bool pauses = is_pause(first) || is_pause(second);
        auto start = one.start;
        auto end = one.end;
        if (pauses && is_hold(second)) {
            start += second.length / 2;
            end -= second.length - second.length / 2;
        } else {
            start += is_hold(first) ? first.length : nanoseconds{0};
            end -= is_hold(second) ? second.length : nanoseconds{0};
        }
        free = {std::max(free.start, start), std::min(free.end, end)};
        held += pauses ? nanoseconds{0} : held_by(one.seen);
        wanted += floats ? first.length : nanoseconds{0};
    }
    nanoseconds room() const { return free.end - free.start; }
    bool fits() const { return wanted - wanted / spent_on_asking <= room(); }
};

void place(std::span<turn> all, std::uintptr_t gil) noexcept {
    round_of_turns sum;
    for (const turn& one : all)
        if (one.gil == gil)
            sum.include(one);
    const bool others_had_it = sum.held > nanoseconds{0} || (sum.wanted > nanoseconds{0} && sum.fits());
    const auto asking = std::max(nanoseconds{0}, sum.wanted - sum.room());
    auto at = sum.free.start;
    for (turn& one : all) {
        if (one.gil != gil)
            continue;
        if (others_had_it && (is_pause(one.seen.first) || is_pause(one.seen.second)))
            give_way(one.seen);
        if (!std::exchange(one.seen.floats, false) || !sum.fits())
            continue;
        auto held = one.seen.first;
        auto asked = held;
        asked.gil = gil_state::not_held;
        asked.length = nanoseconds{asking.count() * held.length.count() / sum.wanted.count()};
        held.length -= asked.length;
        held.gil = gil_state::held;
        auto before = one.seen.second;
        auto rest = before;
        before.length = std::clamp(at - one.start, nanoseconds{0}, rest.length);
        rest.length -= before.length;
        one.seen = {.first = before, .second = held, .third = asked, .fourth = rest};
        at += held.length;
    }
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
    const bool floats = before.state == thread_state::waiting_gil && now.state == thread_state::waiting_gil;
    return {.first = {due, thread_state::running, gil_state::unknown, now.core},
            .second = of_length(rested, rest),
            .floats = floats};
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

void place_turns(std::span<turn> all) noexcept {
    for (const turn& one : all)
        if (one.gil != 0 && (one.seen.floats || is_pause(one.seen.first) || is_pause(one.seen.second)))
            place(all, one.gil);
}

} // namespace xcores::run
