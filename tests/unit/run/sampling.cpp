// SPDX-License-Identifier: BSD-3-Clause
#include <memory>
#include <random>
#include <semaphore>
#include <thread>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <xcores/os/clock.hpp>
#include <xcores/os/shared_memory.hpp>
#include <xcores/run/sample_log.hpp>
#include <xcores/run/sampler.hpp>

using namespace xcores;
using namespace std::chrono_literals;
using model::gil_state;
using model::nanoseconds;
using model::thread_state;
using piece = run::judge::piece;

namespace {

/// Says what the test tells it to.
class scripted_probe final : public run::probe {
public:
    reading next;
    thread_state why = thread_state::waiting_core;
    reading read() noexcept override { return next; }
    thread_state situation() noexcept override { return why; }
};

struct script {
    scripted_probe probe;
    run::judge judge;

    explicit script(nanoseconds cpu = 0ns) {
        probe.next = {cpu, 0, gil_state::not_held};
        look(0ns);
    }
    run::judge::verdict look(nanoseconds elapsed, bool late = false) {
        return judge(probe, probe.read(), elapsed, late);
    }
    run::judge::verdict tick(nanoseconds progress, gil_state gil, thread_state why, nanoseconds elapsed = 1ms) {
        probe.next.cpu += progress;
        probe.next.gil = gil;
        probe.why = why;
        return look(elapsed);
    }
};

} // namespace

TEST_CASE("a thread that used its whole tick runs") {
    script one;
    one.tick(1ms, gil_state::held, thread_state::waiting_core);
    CHECK(one.tick(1ms, gil_state::held, thread_state::waiting_core).second ==
          piece{1ms, thread_state::running, gil_state::held, 0});
    one.tick(1ms, gil_state::not_held, thread_state::waiting_core);
    CHECK(one.tick(1ms, gil_state::not_held, thread_state::waiting_core).second ==
          piece{1ms, thread_state::running, gil_state::not_held, 0});
}

TEST_CASE("a runnable thread without progress waits for a core, also when it holds the GIL") {
    script one;
    one.tick(1ms, gil_state::held, thread_state::waiting_core);
    CHECK(one.tick(0ms, gil_state::held, thread_state::waiting_core).second ==
          piece{1ms, thread_state::waiting_core, gil_state::held, 0});
}

TEST_CASE("a thread that ceased to run between two looks ran first, and then was what its system call says") {
    script one;
    one.tick(1ms, gil_state::held, thread_state::waiting_core);
    const auto handed_over = one.tick(900us, gil_state::not_held, thread_state::waiting_gil);
    CHECK(handed_over.first == piece{900us, thread_state::running, gil_state::held, 0});
    CHECK(handed_over.second == piece{100us, thread_state::waiting_gil, gil_state::not_held, 0});
    const auto waited = one.tick(0us, gil_state::not_held, thread_state::blocked);
    CHECK(waited.first.length == 0us);
    CHECK(waited.second == piece{1ms, thread_state::waiting_gil, gil_state::not_held, 0}); // as it was seen to begin
    CHECK(one.tick(0us, gil_state::not_held, thread_state::blocked).second.state == thread_state::blocked);
}

TEST_CASE("a thread that gave its GIL away between two looks had it while it ran") {
    script one;
    one.tick(1ms, gil_state::held, thread_state::waiting_core);
    const auto seen = one.tick(700us, gil_state::not_held, thread_state::waiting_core);
    CHECK(seen.first == piece{700us, thread_state::running, gil_state::held, 0});
    CHECK(seen.second == piece{300us, thread_state::waiting_core, gil_state::not_held, 0});
}

TEST_CASE("a thread that has only just got the GIL waited first, and then ran") {
    script one;
    one.tick(0us, gil_state::not_held, thread_state::waiting_gil);
    const auto seen = one.tick(100us, gil_state::held, thread_state::waiting_core);
    CHECK(seen.first == piece{900us, thread_state::waiting_gil, gil_state::not_held, 0});
    CHECK(seen.second == piece{100us, thread_state::running, gil_state::held, 0});
}

TEST_CASE("of what ran longer between a look with its GIL and one without it nobody knows how much was with it") {
    constexpr nanoseconds wide = 9ms;
    script gave;
    gave.tick(wide, gil_state::held, thread_state::waiting_core, wide);
    CHECK(gave.tick(8ms, gil_state::not_held, thread_state::waiting_core, wide).first ==
          piece{8ms, thread_state::running, gil_state::unknown, 0});
    CHECK(gave.tick(wide, gil_state::not_held, thread_state::waiting_core, wide).second ==
          piece{wide, thread_state::running, gil_state::not_held, 0});
    CHECK(gave.tick(8ms, gil_state::held, thread_state::waiting_core, wide).second ==
          piece{8ms, thread_state::running, gil_state::unknown, 0});
    CHECK(gave.tick(wide, gil_state::held, thread_state::waiting_core, wide).second ==
          piece{wide, thread_state::running, gil_state::held, 0});
}

TEST_CASE("who waited for the GIL, computed and has it no more, had it meanwhile, nobody knows for how long") {
    script one;
    one.tick(0us, gil_state::not_held, thread_state::waiting_gil, 9ms);
    const auto seen = one.tick(5ms, gil_state::not_held, thread_state::waiting_core, 9ms);
    CHECK(seen.first == piece{4ms, thread_state::waiting_gil, gil_state::not_held, 0});
    CHECK(seen.second == piece{5ms, thread_state::running, gil_state::unknown, 0});
}

TEST_CASE("who wakes only to ask for the GIL again goes on waiting for it") {
    script one;
    one.tick(0us, gil_state::not_held, thread_state::waiting_gil);
    CHECK(one.tick(20us, gil_state::not_held, thread_state::waiting_core).second ==
          piece{1ms, thread_state::waiting_gil, gil_state::not_held, 0});
    const auto asked = one.tick(5ms, gil_state::not_held, thread_state::waiting_gil, 9ms);
    CHECK(asked.first == piece{5ms + 20us, thread_state::running, gil_state::unknown, 0});
}

namespace {

constexpr std::uintptr_t one_gil = 1;

run::turn between_looks(run::judge::verdict seen, std::uintptr_t gil = one_gil) {
    return {.gil = gil, .start = 0ms, .end = 10ms, .handovers = 2, .seen = seen};
}

constexpr piece held(nanoseconds length) {
    return {length, thread_state::running, gil_state::held, 0};
}
constexpr piece ran(nanoseconds length) {
    return {length, thread_state::running, gil_state::unknown, 0};
}
constexpr piece asked(nanoseconds length) {
    return {length, thread_state::running, gil_state::not_held, 0};
}
constexpr piece waited(nanoseconds length) {
    return {length, thread_state::waiting_gil, gil_state::not_held, 0};
}
run::judge::verdict in_between(nanoseconds length) {
    return {.first = ran(length), .second = waited(10ms - length), .about = run::judge::doubt::between};
}
run::judge::verdict in_doubt(piece first, piece second, run::judge::doubt about) {
    return {.first = first, .second = second, .about = about};
}

} // namespace

TEST_CASE("who waited for the GIL before and after had it while it ran, where that fits between the known holders") {
    std::vector turns{between_looks({held(2ms), waited(8ms)}), between_looks(in_between(3ms)),
                      between_looks(in_between(3ms)), between_looks({waited(8ms), held(2ms)})};
    run::place_turns(turns);
    CHECK(turns[1].seen.first == waited(2ms));
    CHECK(turns[1].seen.second == held(3ms));
    CHECK(turns[1].seen.fourth == waited(5ms));
    CHECK(turns[2].seen.first == waited(5ms));
    CHECK(turns[2].seen.second == held(3ms));
    CHECK(turns[2].seen.fourth == waited(2ms));
    CHECK(turns[0].seen.first == held(2ms));
    CHECK(turns[3].seen.second == held(2ms));
}

TEST_CASE("nobody is placed where one had the GIL that is gone by now") {
    const auto gone = between_looks({held(4ms), {}});
    CHECK(run::end_of_hold(gone) == 4ms);
    CHECK(run::end_of_hold(between_looks({waited(8ms), {}})) == 0ms);
    std::vector turns{between_looks(in_between(3ms)), between_looks({waited(8ms), held(2ms)})};
    turns[0].not_before = run::end_of_hold(gone);
    run::place_turns(turns);
    CHECK(turns[0].seen.first == waited(4ms));
    CHECK(turns[0].seen.second == held(3ms));
}

TEST_CASE("who only just began takes no time from the others") {
    std::vector turns{between_looks({held(2ms), waited(8ms)}), between_looks(in_between(3ms)), between_looks({})};
    turns[2].start = turns[2].end;
    run::place_turns(turns);
    CHECK(turns[1].seen.second == held(3ms));
}

TEST_CASE("what runs longer than the GIL was free did not have it all the time, so nobody knows") {
    std::vector turns{between_looks({{}, held(10ms)}), between_looks(in_between(3ms))};
    run::place_turns(turns);
    CHECK(turns[1].seen.first == ran(3ms));
    CHECK(turns[1].seen.second == waited(7ms));
}

TEST_CASE("what a thread that mostly slept ran may have been with the GIL, so it must fit too") {
    const auto woke = [](nanoseconds length) {
        return between_looks({ran(length), {10ms - length, thread_state::blocked, gil_state::not_held, 0}});
    };
    std::vector turns{woke(2ms), between_looks(in_between(6ms)), between_looks({held(2ms), waited(8ms)})};
    run::place_turns(turns);
    CHECK(turns[1].seen.second == held(6ms));
    CHECK(turns[0].seen.first == ran(2ms));
    turns = {woke(4ms), between_looks(in_between(6ms)), between_looks({held(2ms), waited(8ms)})};
    run::place_turns(turns);
    CHECK(turns[1].seen.first == ran(6ms));
}

TEST_CASE("a GIL is shared out among its own threads only") {
    std::vector turns{between_looks({{}, held(10ms)}, 2), between_looks(in_between(3ms)),
                      between_looks(in_between(3ms), 0)};
    run::place_turns(turns);
    CHECK(turns[1].seen.second == held(3ms));
    CHECK(turns[2].seen.first == ran(3ms));
}

TEST_CASE("while somebody waits for the GIL somebody has it, whoever had it at one look only") {
    using enum run::judge::doubt;
    const piece off{2ms, thread_state::waiting_core, gil_state::not_held, 0};
    std::vector turns{between_looks(in_doubt(ran(8ms), off, front)), between_looks({waited(8ms), held(2ms)})};
    run::place_turns(turns);
    CHECK(turns[0].seen.first == held(8ms));
    turns = {between_looks(in_doubt(off, ran(8ms), back)), between_looks({held(2ms), waited(8ms)})};
    run::place_turns(turns);
    CHECK(turns[0].seen.second == held(8ms));
    turns = {between_looks(in_doubt(waited(6ms), ran(4ms), tail)), between_looks({waited(7ms), held(3ms)}),
             between_looks({held(3ms), waited(7ms)})};
    run::place_turns(turns);
    CHECK(turns[0].seen.first == waited(3ms));
    CHECK(turns[0].seen.second == held(4ms));
    CHECK(turns[0].seen.fourth == piece{3ms, thread_state::waiting_core, gil_state::not_held, 0});
}

TEST_CASE("who seems to have run without the GIL had it, if somebody waited and nobody else can have had it") {
    const auto seemed = [](nanoseconds length) {
        const piece off{10ms - length, thread_state::waiting_core, gil_state::not_held, 0};
        return between_looks(in_doubt(off, asked(length), run::judge::doubt::without));
    };
    const auto waits = between_looks({waited(9ms), held(1ms)});
    std::vector turns{seemed(9ms), waits};
    run::place_turns(turns);
    CHECK(turns[0].seen.second == held(9ms));
    CHECK(turns[0].seen.first.length + turns[0].seen.fourth.length == 1ms);
    for (auto other :
         {between_looks({{}, held(10ms)}), between_looks({{}, {10ms, thread_state::blocked, gil_state::not_held, 0}}),
          between_looks({{9ms, thread_state::waiting_core, gil_state::held, 0}, held(1ms)})}) {
        std::vector no_deduction{seemed(9ms), other};
        run::place_turns(no_deduction);
        CHECK(no_deduction[0].seen.second == asked(9ms));
    }
    turns = {seemed(9ms), waits};
    turns[0].handovers = turns[1].handovers = 0;
    run::place_turns(turns);
    CHECK(turns[0].seen.second == asked(9ms));
    // Where it does not fit, what others did is told as if it had not been there.
    turns = {seemed(9ms), between_looks(in_between(3ms)), waits};
    run::place_turns(turns);
    CHECK(turns[0].seen.second == asked(9ms));
    CHECK(turns[1].seen.second == held(3ms));
}

TEST_CASE(
    "who had the GIL at neither look and ran most likely ran without it, which can be doubted if that was for long") {
    script one;
    one.tick(9ms, gil_state::not_held, thread_state::waiting_core, 9ms);
    auto seen = one.tick(9ms, gil_state::not_held, thread_state::waiting_core, 9ms);
    CHECK(seen.second == piece{9ms, thread_state::running, gil_state::not_held, 0});
    CHECK(seen.about == run::judge::doubt::without);
    CHECK(one.tick(1ms, gil_state::not_held, thread_state::waiting_core).about == run::judge::doubt::none);
    seen = one.tick(5ms, gil_state::not_held, thread_state::waiting_core, 9ms);
    CHECK(seen.second == piece{5ms, thread_state::running, gil_state::not_held, 0});
    CHECK(seen.about == run::judge::doubt::without);
}

TEST_CASE("where nobody waits for the GIL it stays unknown how long it was held") {
    using enum run::judge::doubt;
    const piece off{2ms, thread_state::waiting_core, gil_state::not_held, 0};
    const piece sleeps{10ms, thread_state::blocked, gil_state::not_held, 0};
    std::vector turns{between_looks(in_doubt(ran(8ms), off, front)), between_looks({{}, sleeps})};
    run::place_turns(turns);
    CHECK(turns[0].seen.first == ran(8ms));
    std::vector alone{between_looks(in_doubt(waited(2ms), ran(8ms), tail))};
    run::place_turns(alone);
    CHECK(alone[0].seen.second == ran(8ms));
}

TEST_CASE("what all together spend on asking for the GIL is not time with it, and no two hold it at once") {
    std::vector turns{between_looks(in_between(5200us)), between_looks(in_between(5200us))};
    run::place_turns(turns);
    nanoseconds all_held{};
    for (const auto& each : turns) {
        const auto& seen = each.seen;
        CHECK(seen.second.length + seen.third.length == 5200us);
        CHECK(seen.third == asked(seen.third.length));
        CHECK(seen.first.length + seen.second.length + seen.third.length + seen.fourth.length == 10ms);
        all_held += seen.second.length;
    }
    CHECK(all_held == 10ms);
    CHECK(turns[1].seen.first.length >= turns[0].seen.second.length - 200us);
}

TEST_CASE("who has the GIL at both looks and ran half the time gave it away, if another had a turn") {
    const piece stood{5ms, thread_state::waiting_core, gil_state::held, 0};
    std::vector alone{between_looks({stood, held(5ms)})};
    run::place_turns(alone);
    CHECK(alone[0].seen.first == stood);
    std::vector turns{between_looks({stood, held(5ms)}), between_looks(in_between(4ms))};
    run::place_turns(turns);
    CHECK(turns[0].seen.first == held(2500us));
    CHECK(turns[0].seen.second == waited(5ms));
    CHECK(turns[0].seen.third == held(2500us));
    CHECK(turns[1].seen.first == waited(2500us));
    CHECK(turns[1].seen.second == held(4ms));
    const piece stood_still{10ms, thread_state::waiting_core, gil_state::held, 0};
    std::vector handed{between_looks({{}, stood_still}), between_looks({held(8ms), waited(2ms)})};
    run::place_turns(handed);
    CHECK(handed[0].seen.second == waited(10ms));
}

TEST_CASE("however often a thread asks for the GIL, it had it only if it was handed over") {
    std::vector turns{between_looks(in_between(3ms)), between_looks({held(2ms), waited(8ms)})};
    turns[0].handovers = turns[1].handovers = 0;
    run::place_turns(turns);
    CHECK(turns[0].seen.first == ran(3ms));
    const piece stood{10ms, thread_state::waiting_core, gil_state::held, 0};
    std::vector kept{between_looks({{}, stood}), between_looks(in_between(3ms))};
    kept[0].handovers = kept[1].handovers = 0;
    run::place_turns(kept);
    CHECK(kept[0].seen.second == stood);
    CHECK(kept[1].seen.first == ran(3ms));
}

TEST_CASE("short runs between looks are gathered until they fill half a tick") {
    script one;
    one.tick(0us, gil_state::not_held, thread_state::blocked);
    for (int tick = 0; tick < 2; ++tick)
        CHECK(one.tick(200us, gil_state::not_held, thread_state::blocked).second ==
              piece{1ms, thread_state::blocked, gil_state::not_held, 0});
    const auto shown = one.tick(200us, gil_state::not_held, thread_state::blocked);
    CHECK(shown.first == piece{600us, thread_state::running, gil_state::unknown, 0});
    CHECK(shown.second == piece{400us, thread_state::blocked, gil_state::not_held, 0});
}

TEST_CASE("who was about to take its GIL at the first look and has it at the second ran with it") {
    script begins;
    begins.judge.is_about_to_begin();
    const auto seen = begins.tick(12ms, gil_state::held, thread_state::waiting_core, 13ms);
    CHECK(seen.first == piece{1ms, thread_state::waiting_core, gil_state::unknown, 0});
    CHECK(seen.second == piece{12ms, thread_state::running, gil_state::held, 0});
    CHECK(seen.about == run::judge::doubt::none);
}

TEST_CASE("who was about to take its GIL at the first look and waits for it at the second had it for an unknown part") {
    script begins;
    begins.judge.is_about_to_begin();
    const auto seen = begins.tick(3ms, gil_state::not_held, thread_state::waiting_gil, 10ms);
    CHECK(seen.first == piece{3ms, thread_state::running, gil_state::unknown, 0});
    CHECK(seen.second == piece{7ms, thread_state::waiting_gil, gil_state::not_held, 0});
    CHECK(seen.about == run::judge::doubt::none);
}

TEST_CASE("an unknown CPU clock makes the state unknown, not idle") {
    script one(-1ns);
    one.probe.next.cpu = -1ns;
    CHECK(one.look(1ms).second == piece{1ms, thread_state::unknown, gil_state::not_held, 0});
}

TEST_CASE("over time what is shown as running adds up to the CPU time, whatever the thread does in between") {
    script one;
    std::mt19937 random(1);
    const nanoseconds rate = GENERATE(1ms, 20ms);
    std::uniform_int_distribution<int> share(0, 1000);
    std::uniform_int_distribution<int> any(0, 2);
    constexpr thread_state situations[]{thread_state::waiting_core, thread_state::waiting_gil, thread_state::blocked};
    nanoseconds used{};
    nanoseconds running{};
    for (int tick = 0; tick < 1000; ++tick) {
        const auto progress = rate * share(random) / 1000;
        const auto why = situations[any(random)];
        const auto gil = why == thread_state::waiting_core ? gil_state::held : gil_state::not_held;
        used += progress;
        const auto seen = one.tick(progress, gil, why, rate);
        REQUIRE(seen.first.length + seen.second.length == rate);
        for (const auto& each : {seen.first, seen.second})
            running += each.state == thread_state::running ? each.length : 0ns;
    }
    CHECK(std::abs((running - used).count()) <= std::chrono::nanoseconds{1ms}.count());
}

TEST_CASE("a late look at a thread that ran a little tells the sum, and neither when nor who held the GIL") {
    script one;
    one.tick(0us, gil_state::not_held, thread_state::waiting_gil);
    one.probe.next.cpu += 2ms;
    one.probe.next.gil = gil_state::held;
    const auto seen = one.look(40ms, true);
    CHECK(seen.first == piece{2ms, thread_state::running, gil_state::unknown, -1});
    CHECK(seen.second == piece{38ms, thread_state::waiting_core, gil_state::unknown, -1});
}

TEST_CASE("a late look at a thread that ran all the time and has its GIL takes it that it had it") {
    script one;
    one.tick(1ms, gil_state::held, thread_state::waiting_core);
    one.probe.next.cpu += 39ms;
    const auto seen = one.look(40ms, true);
    CHECK(seen.second == piece{40ms, thread_state::running, gil_state::held, 0});
}

TEST_CASE("when the run is over, one that ran is taken to have gone on") {
    script runs;
    runs.tick(1ms, gil_state::held, thread_state::waiting_core);
    runs.probe.next = {runs.probe.next.cpu + 300us, 0, gil_state::not_held};
    CHECK(runs.judge.last_words(runs.probe.next, 500us).second ==
          piece{300us, thread_state::running, gil_state::held, 0});
}

TEST_CASE("when the run is over long after the last look, one that ran then and hardly since did something unknown") {
    script slept;
    slept.tick(1ms, gil_state::held, thread_state::waiting_core);
    slept.probe.next.cpu += 2ms;
    const auto seen = slept.judge.last_words(slept.probe.next, 90ms);
    CHECK(seen.first == piece{2ms, thread_state::running, gil_state::held, 0});
    CHECK(seen.second == piece{88ms, thread_state::unknown, gil_state::unknown, -1});
}

TEST_CASE("when the run is over, one that was blocked and has run since did so at last") {
    script woke;
    woke.tick(0us, gil_state::not_held, thread_state::blocked);
    woke.probe.next.cpu += 20ms;
    const auto seen = woke.judge.last_words(woke.probe.next, 60ms);
    CHECK(seen.first == piece{40ms, thread_state::blocked, gil_state::not_held, 0});
    CHECK(seen.second == piece{20ms, thread_state::running, gil_state::unknown, 0});
    script sleeps;
    sleeps.tick(0us, gil_state::not_held, thread_state::blocked);
    sleeps.probe.next.cpu += 20us;
    CHECK(sleeps.judge.last_words(sleeps.probe.next, 500us).second.length == 0us);
}

TEST_CASE("who comes to its end between two looks had the GIL then, nobody knows for how much of what it ran") {
    script waits;
    waits.tick(0us, gil_state::not_held, thread_state::waiting_gil);
    waits.probe.next.cpu += 1700us;
    const auto seen = waits.judge.last_words(waits.probe.next, 3ms);
    CHECK(seen.first == piece{1300us, thread_state::waiting_gil, gil_state::not_held, 0});
    CHECK(seen.second == piece{1700us, thread_state::running, gil_state::unknown, 0});
    script only_asks;
    only_asks.tick(0us, gil_state::not_held, thread_state::waiting_gil);
    only_asks.probe.next.cpu += 20us;
    CHECK(only_asks.judge.last_words(only_asks.probe.next, 3ms).second.length == 0us);
    script computes;
    computes.tick(1ms, gil_state::not_held, thread_state::waiting_core);
    computes.probe.next.cpu += 4ms;
    CHECK(computes.judge.last_words(computes.probe.next, 4ms).second ==
          piece{4ms, thread_state::running, gil_state::unknown, 0});
}

TEST_CASE("when the run is over and nobody looked for long, the sum on a core is told, and that the rest was waited") {
    script runs;
    runs.tick(1ms, gil_state::not_held, thread_state::waiting_core);
    runs.probe.next.cpu += 5ms;
    const auto seen = runs.judge.last_words(runs.probe.next, 60ms, true);
    CHECK(seen.first == piece{5ms, thread_state::running, gil_state::unknown, -1});
    CHECK(seen.second == piece{55ms, thread_state::waiting_core, gil_state::unknown, -1});
    script sleeps;
    sleeps.tick(0us, gil_state::not_held, thread_state::blocked);
    CHECK(sleeps.judge.last_words(sleeps.probe.next, 60ms, true).second ==
          piece{60ms, thread_state::blocked, gil_state::unknown, -1});
    script holds;
    holds.tick(1ms, gil_state::held, thread_state::waiting_core);
    holds.probe.next.cpu += 59ms;
    CHECK(holds.judge.last_words(holds.probe.next, 60ms, true).second ==
          piece{59ms, thread_state::running, gil_state::held, 0});
}

TEST_CASE("what a clock that moves in jumps gives at once is shown in time") {
    script one;
    one.tick(0ms, gil_state::unknown, thread_state::waiting_core);
    nanoseconds running{};
    for (int tick = 1; tick <= 40; ++tick) {
        const auto seen = one.tick(tick % 4 == 0 ? 4ms : 0ms, gil_state::unknown,
                                   tick % 8 < 4 ? thread_state::waiting_core : thread_state::blocked);
        for (const auto& each : {seen.first, seen.second})
            running += each.state == thread_state::running ? each.length : 0ns;
    }
    CHECK(running >= 36ms);
}

TEST_CASE("a process whose threads made more progress than there was time is not shown to run for long after") {
    script one;
    one.tick(1ms, gil_state::unknown, thread_state::waiting_core);
    for (int tick = 0; tick < 100; ++tick)
        CHECK(one.tick(4ms, gil_state::unknown, thread_state::waiting_core).second.state == thread_state::running);
    for (int tick = 0; tick < 12; ++tick)
        one.tick(0ms, gil_state::unknown, thread_state::blocked);
    const auto rests = one.tick(0ms, gil_state::unknown, thread_state::blocked);
    CHECK(rests.first.length == 0ms);
    CHECK(rests.second.state == thread_state::blocked);
}

TEST_CASE("who is interrupted between the time and the CPU clock reads both once more") {
    struct interrupting_probe final : run::probe { // of a thread that runs all the time
        std::counting_semaphore<> looks{0};
        int reads = 0;
        reading read() noexcept override {
            if (++reads % 2 == 1)
                std::this_thread::sleep_for(1ms);
            else
                looks.release();
            return {os::now(), 0, reads % 4 < 2 ? gil_state::held : gil_state::not_held};
        }
        thread_state situation() noexcept override { return thread_state::waiting_core; }
    };
    interrupting_probe probe;
    const auto log = run::sample_log::create();
    run::sampler sampler(1ms);
    sampler.add(probe, *log);
    for (int look = 0; look < 40; ++look)
        probe.looks.acquire();
    sampler.remove(probe);
    nanoseconds all{};
    nanoseconds running{};
    for (const auto& one : log->spans(0ns)) {
        all += one.end - one.start;
        running += one.state == thread_state::running ? one.end - one.start : 0ns;
    }
    CHECK(running > all * 98 / 100);
}

TEST_CASE("who looks keeps to the rate that was asked for, or to a fraction that costs no more than the budget") {
    constexpr int one_percent = 100;
    run::pace pace(1ms, one_percent);
    CHECK(pace.period() == 1ms);
    pace.adapt(10us);
    CHECK(pace.period() == 1ms);
    pace.adapt(25us);
    CHECK(pace.period() == 3ms);
    pace.adapt(19us); // 2 ms would do, but only just
    CHECK(pace.period() == 3ms);
    pace.adapt(15us);
    CHECK(pace.period() == 2ms);
    pace.adapt(1us);
    CHECK(pace.period() == 1ms);
    run::pace shared_by_eight(1ms, 8 * one_percent);
    shared_by_eight.adapt(5us);
    CHECK(shared_by_eight.period() == 4ms);
    shared_by_eight.adapt(100us);
    CHECK(shared_by_eight.period() == 80ms);
}

TEST_CASE("a sampler that ran out of workers goes on when there is one again") {
    struct counting_probe final : run::probe {
        std::counting_semaphore<> looks{0};
        reading read() noexcept override {
            looks.release();
            return {0ns, 0, gil_state::not_held};
        }
        thread_state situation() noexcept override { return thread_state::blocked; }
    };
    run::sampler sampler(100us);
    for (int i = 0; i < 3; ++i) {
        counting_probe probe;
        const auto log = run::sample_log::create();
        sampler.add(probe, *log);
        for (int look = 0; look < 5; ++look)
            probe.looks.acquire();
        sampler.remove(probe);
    }
    CHECK(sampler.record().ticks > 0);
}

TEST_CASE("equal samples join into one span") {
    const auto log = std::make_unique<run::sample_log>();
    log->clear();
    log->append(0ns, 1ms, thread_state::running, gil_state::held, 1);
    log->append(1ms, 2ms, thread_state::running, gil_state::held, 1);
    log->append(2ms, 3ms, thread_state::running, gil_state::held, 0);
    const auto spans = log->spans(0ns);
    REQUIRE(spans.size() == 2);
    CHECK(spans[0] == model::span{0ns, 2ms, thread_state::running, gil_state::held, 1});
    CHECK(spans[1] == model::span{2ms, 3ms, thread_state::running, gil_state::held, 0});
}

TEST_CASE("spans are told relative to the origin, the newest only if asked") {
    const auto log = std::make_unique<run::sample_log>();
    log->clear();
    for (int i = 0; i < 10; ++i)
        log->append(i * 1ms, (i + 1) * 1ms, i % 2 == 0 ? thread_state::running : thread_state::blocked, gil_state::held,
                    0);
    const auto spans = log->spans(5ms, 2);
    REQUIRE(spans.size() == 2);
    CHECK(spans[0].start == 3ms);
    CHECK(spans[1].end == 5ms);
}

TEST_CASE("what a process has written can be read when it was killed while it wrote") {
    for (int round = 0; round < 50; ++round) {
        const auto memory = os::shared_memory::create(sizeof(run::sample_log));
        auto& log = *static_cast<run::sample_log*>(memory.data());
        log.clear();
        int ends[2];
        REQUIRE(::pipe(ends) == 0);
        const auto child = ::fork();
        if (child == 0) {
            for (auto time = 0ms; time < 20s; time += 1ms) { // the log does not fill up
                log.append(time, time + 1ms, time % 2ms == 0ms ? thread_state::running : thread_state::blocked,
                           gil_state::held, 0);
                if (time == 20ms)
                    static_cast<void>(::write(ends[1], "x", 1));
            }
            ::pause();
        }
        char ready = 0;
        REQUIRE(::read(ends[0], &ready, 1) == 1);
        ::kill(child, SIGKILL);
        ::waitpid(child, nullptr, 0);
        ::close(ends[0]);
        ::close(ends[1]);
        const auto spans = log.spans(0ns);
        CHECK(spans.size() >= 10);
        for (std::size_t i = 1; i < spans.size(); ++i)
            REQUIRE((spans[i].start >= spans[i - 1].end && spans[i].end >= spans[i].start));
    }
}

TEST_CASE("a full log keeps the whole time at half the rate, with the same shares") {
    const auto log = std::make_unique<run::sample_log>();
    log->clear();
    constexpr int ticks = 200000;
    for (int i = 0; i < ticks; ++i) // three in ten running, never the same twice in a row for long
        log->append(i * 1ms, (i + 1) * 1ms, i % 10 < 3 ? thread_state::running : thread_state::blocked,
                    gil_state::unknown, i % 2);
    const auto spans = log->spans(0ns);
    CHECK(spans.size() <= run::sample_log::capacity);
    CHECK(spans.front().start == 0ns);
    CHECK(spans.back().end > (ticks - 64) * 1ms);
    nanoseconds running{};
    nanoseconds all{};
    for (std::size_t i = 0; i < spans.size(); ++i) {
        CHECK((i == 0 || spans[i].start >= spans[i - 1].end));
        all += spans[i].end - spans[i].start;
        if (spans[i].state == thread_state::running)
            running += spans[i].end - spans[i].start;
    }
    const auto share = static_cast<double>(running.count()) / static_cast<double>(all.count());
    CHECK(std::abs(share - 0.3) < 0.12);
}
