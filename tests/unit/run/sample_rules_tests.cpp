// SPDX-License-Identifier: BSD-3-Clause
#include <random>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <xcores/run/sample_rules.hpp>

using namespace xcores;
using namespace std::chrono_literals;
using model::gil_state;
using model::thread_state;
using run::nanoseconds;
using run::segment;

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
    run::sample_rules rules;

    explicit script(nanoseconds cpu = 0ns) {
        probe.next = {cpu, 0, gil_state::not_held};
        sample(0ns);
    }
    run::segments sample(nanoseconds elapsed, bool late = false) {
        return rules.apply(probe, probe.read(), elapsed, late);
    }
    run::segments tick(nanoseconds progress, gil_state gil, thread_state why, nanoseconds elapsed = 1ms) {
        probe.next.cpu += progress;
        probe.next.gil = gil;
        probe.why = why;
        return sample(elapsed);
    }
};

} // namespace

TEST_CASE("ran: a thread that used the whole period ran") {
    script thread;
    thread.tick(1ms, gil_state::held, thread_state::waiting_core);
    CHECK(thread.tick(1ms, gil_state::held, thread_state::waiting_core)[1] ==
          segment{1ms, thread_state::running, gil_state::held, 0});
    thread.tick(1ms, gil_state::not_held, thread_state::waiting_core);
    CHECK(thread.tick(1ms, gil_state::not_held, thread_state::waiting_core)[1] ==
          segment{1ms, thread_state::running, gil_state::not_held, 0});
}

TEST_CASE("ran: a runnable thread without progress waited for a core, even with the GIL") {
    script thread;
    thread.tick(1ms, gil_state::held, thread_state::waiting_core);
    CHECK(thread.tick(0ms, gil_state::held, thread_state::waiting_core)[1] ==
          segment{1ms, thread_state::waiting_core, gil_state::held, 0});
}

TEST_CASE("stopped: it ran first, and then was what its system call says") {
    script thread;
    thread.tick(1ms, gil_state::held, thread_state::waiting_core);
    const auto handed_over = thread.tick(900us, gil_state::not_held, thread_state::waiting_gil);
    CHECK(handed_over[0] == segment{900us, thread_state::running, gil_state::held, 0});
    CHECK(handed_over[1] == segment{100us, thread_state::waiting_gil, gil_state::not_held, 0});
    const auto waited = thread.tick(0us, gil_state::not_held, thread_state::blocked);
    CHECK(waited[0].length == 0us);
    CHECK(waited[1] == segment{1ms, thread_state::waiting_gil, gil_state::not_held, 0}); // as it was seen to begin
    CHECK(thread.tick(0us, gil_state::not_held, thread_state::blocked)[1].state == thread_state::blocked);
}

TEST_CASE("gave: it held the GIL while it ran") {
    script thread;
    thread.tick(1ms, gil_state::held, thread_state::waiting_core);
    const auto seen = thread.tick(700us, gil_state::not_held, thread_state::waiting_core);
    CHECK(seen[0] == segment{700us, thread_state::running, gil_state::held, 0});
    CHECK(seen[1] == segment{300us, thread_state::waiting_core, gil_state::not_held, 0});
}

TEST_CASE("started: it waited first, and then ran") {
    script thread;
    thread.tick(0us, gil_state::not_held, thread_state::waiting_gil);
    const auto seen = thread.tick(100us, gil_state::held, thread_state::waiting_core);
    CHECK(seen[0] == segment{900us, thread_state::waiting_gil, gil_state::not_held, 0});
    CHECK(seen[1] == segment{100us, thread_state::running, gil_state::held, 0});
}

TEST_CASE("gave, took: over 1 ms the GIL is unknown") {
    constexpr nanoseconds wide = 9ms;
    script gave;
    gave.tick(wide, gil_state::held, thread_state::waiting_core, wide);
    CHECK(gave.tick(8ms, gil_state::not_held, thread_state::waiting_core, wide)[0] ==
          segment{8ms, thread_state::running, gil_state::unknown, 0});
    CHECK(gave.tick(wide, gil_state::not_held, thread_state::waiting_core, wide)[1] ==
          segment{wide, thread_state::running, gil_state::not_held, 0});
    CHECK(gave.tick(8ms, gil_state::held, thread_state::waiting_core, wide)[1] ==
          segment{8ms, thread_state::running, gil_state::unknown, 0});
    CHECK(gave.tick(wide, gil_state::held, thread_state::waiting_core, wide)[1] ==
          segment{wide, thread_state::running, gil_state::held, 0});
}

TEST_CASE("started: over 1 ms the GIL of a thread that waited for it and does not hold it is unknown") {
    script thread;
    thread.tick(0us, gil_state::not_held, thread_state::waiting_gil, 9ms);
    const auto seen = thread.tick(5ms, gil_state::not_held, thread_state::waiting_core, 9ms);
    CHECK(seen[0] == segment{4ms, thread_state::waiting_gil, gil_state::not_held, 0});
    CHECK(seen[1] == segment{5ms, thread_state::running, gil_state::unknown, 0});
}

TEST_CASE("rested: a thread that only asks for the GIL again goes on waiting") {
    script thread;
    thread.tick(0us, gil_state::not_held, thread_state::waiting_gil);
    CHECK(thread.tick(20us, gil_state::not_held, thread_state::waiting_core)[1] ==
          segment{1ms, thread_state::waiting_gil, gil_state::not_held, 0});
    const auto asked = thread.tick(5ms, gil_state::not_held, thread_state::waiting_gil, 9ms);
    CHECK(asked[0] == segment{5ms + 20us, thread_state::running, gil_state::unknown, 0});
}

TEST_CASE("ran: the GIL of a thread that held it at neither sample is in question over 1 ms") {
    script thread;
    thread.tick(9ms, gil_state::not_held, thread_state::waiting_core, 9ms);
    auto seen = thread.tick(9ms, gil_state::not_held, thread_state::waiting_core, 9ms);
    CHECK(seen[1] == segment{9ms, thread_state::running, gil_state::not_held, 0});
    CHECK(seen.question == run::gil_question::without);
    CHECK(thread.tick(1ms, gil_state::not_held, thread_state::waiting_core).question == run::gil_question::none);
    seen = thread.tick(5ms, gil_state::not_held, thread_state::waiting_core, 9ms);
    CHECK(seen[1] == segment{5ms, thread_state::running, gil_state::not_held, 0});
    CHECK(seen.question == run::gil_question::without);
}

TEST_CASE("rested: short runs add up until they fill half a period") {
    script thread;
    thread.tick(0us, gil_state::not_held, thread_state::blocked);
    for (int tick = 0; tick < 2; ++tick)
        CHECK(thread.tick(200us, gil_state::not_held, thread_state::blocked)[1] ==
              segment{1ms, thread_state::blocked, gil_state::not_held, 0});
    const auto shown = thread.tick(200us, gil_state::not_held, thread_state::blocked);
    CHECK(shown[0] == segment{600us, thread_state::running, gil_state::unknown, 0});
    CHECK(shown[1] == segment{400us, thread_state::blocked, gil_state::not_held, 0});
}

TEST_CASE("took: a worker that was about to begin ran with the GIL") {
    script begins;
    begins.rules.is_about_to_begin();
    const auto seen = begins.tick(12ms, gil_state::held, thread_state::waiting_core, 13ms);
    CHECK(seen[0] == segment{1ms, thread_state::waiting_core, gil_state::unknown, 0});
    CHECK(seen[1] == segment{12ms, thread_state::running, gil_state::held, 0});
    CHECK(seen.question == run::gil_question::none);
}

TEST_CASE("stopped: a worker that was about to begin held the GIL for an unknown part") {
    script begins;
    begins.rules.is_about_to_begin();
    const auto seen = begins.tick(3ms, gil_state::not_held, thread_state::waiting_gil, 10ms);
    CHECK(seen[0] == segment{3ms, thread_state::running, gil_state::unknown, 0});
    CHECK(seen[1] == segment{7ms, thread_state::waiting_gil, gil_state::not_held, 0});
    CHECK(seen.question == run::gil_question::none);
}

TEST_CASE("a worker that was about to begin ran where the next sample sees it, also at the end") {
    script stops;
    stops.rules.is_about_to_begin();
    stops.probe.next.core = 1;
    CHECK(stops.tick(5ms, gil_state::not_held, thread_state::blocked, 6ms)[0].core == 1);
    script ends;
    ends.rules.is_about_to_begin();
    ends.probe.next = {5ms, 1, gil_state::held};
    CHECK(ends.rules.at_end(ends.probe.next, 5500us)[1] == segment{5ms, thread_state::running, gil_state::unknown, 1});
}

TEST_CASE("no clock: the state is unknown, not idle") {
    script thread(-1ns);
    thread.probe.next.cpu = -1ns;
    CHECK(thread.sample(1ms)[1] == segment{1ms, thread_state::unknown, gil_state::not_held, 0});
}

TEST_CASE("ran, rested: over time what is shown as running adds up to the CPU clock") {
    script thread;
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
        const auto seen = thread.tick(progress, gil, why, rate);
        REQUIRE(seen[0].length + seen[1].length == rate);
        for (const auto& each : {seen[0], seen[1]})
            running += each.state == thread_state::running ? each.length : 0ns;
    }
    CHECK(std::abs((running - used).count()) <= std::chrono::nanoseconds{1ms}.count());
}

TEST_CASE("late: only the sum is known") {
    script thread;
    thread.tick(0us, gil_state::not_held, thread_state::waiting_gil);
    thread.probe.next.cpu += 2ms;
    thread.probe.next.gil = gil_state::held;
    const auto seen = thread.sample(40ms, true);
    CHECK(seen[0] == segment{2ms, thread_state::running, gil_state::unknown, -1});
    CHECK(seen[1] == segment{38ms, thread_state::waiting_core, gil_state::unknown, -1});
}

TEST_CASE("late: does not apply to a thread that ran all the time and holds its GIL") {
    script thread;
    thread.tick(1ms, gil_state::held, thread_state::waiting_core);
    thread.probe.next.cpu += 39ms;
    const auto seen = thread.sample(40ms, true);
    CHECK(seen[1] == segment{40ms, thread_state::running, gil_state::held, 0});
}

TEST_CASE("at the end, runnable: it ran on") {
    script runs;
    runs.tick(1ms, gil_state::held, thread_state::waiting_core);
    runs.probe.next = {runs.probe.next.cpu + 300us, 0, gil_state::not_held};
    CHECK(runs.rules.at_end(runs.probe.next, 500us)[1] == segment{300us, thread_state::running, gil_state::held, 0});
}

TEST_CASE("at the end, runnable: a long rest is unknown") {
    script slept;
    slept.tick(1ms, gil_state::held, thread_state::waiting_core);
    slept.probe.next.cpu += 2ms;
    const auto seen = slept.rules.at_end(slept.probe.next, 90ms);
    CHECK(seen[0] == segment{2ms, thread_state::running, gil_state::held, 0});
    CHECK(seen[1] == segment{88ms, thread_state::unknown, gil_state::unknown, -1});
}

TEST_CASE("at the end, not runnable: it rested first, and then ran") {
    script woke;
    woke.tick(0us, gil_state::not_held, thread_state::blocked);
    woke.probe.next.cpu += 20ms;
    const auto seen = woke.rules.at_end(woke.probe.next, 60ms);
    CHECK(seen[0] == segment{40ms, thread_state::blocked, gil_state::not_held, 0});
    CHECK(seen[1] == segment{20ms, thread_state::running, gil_state::unknown, 0});
    script sleeps;
    sleeps.tick(0us, gil_state::not_held, thread_state::blocked);
    sleeps.probe.next.cpu += 20us;
    CHECK(sleeps.rules.at_end(sleeps.probe.next, 500us)[1].length == 0us);
}

TEST_CASE("at the end: for how much of what it ran it held the GIL is unknown") {
    script waits;
    waits.tick(0us, gil_state::not_held, thread_state::waiting_gil);
    waits.probe.next.cpu += 1700us;
    const auto seen = waits.rules.at_end(waits.probe.next, 3ms);
    CHECK(seen[0] == segment{1300us, thread_state::waiting_gil, gil_state::not_held, 0});
    CHECK(seen[1] == segment{1700us, thread_state::running, gil_state::unknown, 0});
    script only_asks;
    only_asks.tick(0us, gil_state::not_held, thread_state::waiting_gil);
    only_asks.probe.next.cpu += 20us;
    CHECK(only_asks.rules.at_end(only_asks.probe.next, 3ms)[1].length == 0us);
    script computes;
    computes.tick(1ms, gil_state::not_held, thread_state::waiting_core);
    computes.probe.next.cpu += 4ms;
    CHECK(computes.rules.at_end(computes.probe.next, 4ms)[1] ==
          segment{4ms, thread_state::running, gil_state::unknown, 0});
}

TEST_CASE("at the end, late: only the sum is known") {
    script runs;
    runs.tick(1ms, gil_state::not_held, thread_state::waiting_core);
    runs.probe.next.cpu += 5ms;
    const auto seen = runs.rules.at_end(runs.probe.next, 60ms, true);
    CHECK(seen[0] == segment{5ms, thread_state::running, gil_state::unknown, -1});
    CHECK(seen[1] == segment{55ms, thread_state::waiting_core, gil_state::unknown, -1});
    script sleeps;
    sleeps.tick(0us, gil_state::not_held, thread_state::blocked);
    CHECK(sleeps.rules.at_end(sleeps.probe.next, 60ms, true)[1] ==
          segment{60ms, thread_state::blocked, gil_state::unknown, -1});
    script holds;
    holds.tick(1ms, gil_state::held, thread_state::waiting_core);
    holds.probe.next.cpu += 59ms;
    CHECK(holds.rules.at_end(holds.probe.next, 60ms, true)[1] ==
          segment{59ms, thread_state::running, gil_state::held, 0});
}

TEST_CASE("rested: a clock that moves in jumps is shown in time") {
    script thread;
    thread.tick(0ms, gil_state::unknown, thread_state::waiting_core);
    nanoseconds running{};
    for (int tick = 1; tick <= 40; ++tick) {
        const auto seen = thread.tick(tick % 4 == 0 ? 4ms : 0ms, gil_state::unknown,
                                      tick % 8 < 4 ? thread_state::waiting_core : thread_state::blocked);
        for (const auto& each : {seen[0], seen[1]})
            running += each.state == thread_state::running ? each.length : 0ns;
    }
    CHECK(running >= 36ms);
}

TEST_CASE("ran: progress of several threads is not shown after they have stopped") {
    script thread;
    thread.tick(1ms, gil_state::unknown, thread_state::waiting_core);
    for (int tick = 0; tick < 100; ++tick)
        CHECK(thread.tick(4ms, gil_state::unknown, thread_state::waiting_core)[1].state == thread_state::running);
    for (int tick = 0; tick < 12; ++tick)
        thread.tick(0ms, gil_state::unknown, thread_state::blocked);
    const auto rests = thread.tick(0ms, gil_state::unknown, thread_state::blocked);
    CHECK(rests[0].length == 0ms);
    CHECK(rests[1].state == thread_state::blocked);
}
