// SPDX-License-Identifier: BSD-3-Clause
#include <catch2/catch_test_macros.hpp>

#include <xcores/run/live_schedule.hpp>

using namespace std::chrono_literals;
using xcores::run::live_schedule;

TEST_CASE("a run is first shown when it takes longer than a moment, then four times a second") {
    const live_schedule::clock::time_point start{};
    live_schedule schedule(false, start);
    CHECK(schedule.next() == start + 150ms);
    schedule.shown(start + 200ms);
    CHECK(schedule.next() == start + 450ms);
    schedule.shown(start + 1h);
    CHECK(schedule.next() == start + 1h + 250ms);
}

TEST_CASE("a run that nobody waits for is shown ever more rarely, but never less than every five seconds") {
    const live_schedule::clock::time_point start{};
    live_schedule schedule(true, start);
    schedule.shown(start + 1s);
    CHECK(schedule.next() == start + 1s + 250ms);
    schedule.shown(start + 100s);
    CHECK(schedule.next() == start + 102s);
    schedule.shown(start + 1h);
    CHECK(schedule.next() == start + 1h + 5s);
}
