// SPDX-License-Identifier: BSD-3-Clause
#include <catch2/catch_test_macros.hpp>

#include <xcores/run/recording_allowance.hpp>

using namespace std::chrono_literals;
using xcores::run::recording_allowance;

TEST_CASE("in the long run half a per cent of a core is spent") {
    constexpr auto cost = 5us;
    recording_allowance one;
    one.begin(0ns);
    std::chrono::nanoseconds spent{};
    for (auto time = 1ms; time <= 1s; time += 1ms) {
        one.save(time);
        for (int i = 0; i < 10 && !one.is_spent(); ++i) {
            one.spend(cost);
            spent += cost;
        }
    }
    CHECK(spent >= 5ms);
    CHECK(spent <= 5ms + recording_allowance::saved_at_first + cost);
}

TEST_CASE("a quiet run saves no more than a bound") {
    recording_allowance one;
    one.begin(0ns);
    one.save(10s);
    one.spend(recording_allowance::most_saved - 1ns);
    CHECK_FALSE(one.is_spent());
    one.spend(1ns);
    CHECK(one.is_spent());
}

TEST_CASE("threads of one GIL share it: another that begins adds nothing") {
    recording_allowance one;
    one.begin(0ns);
    one.begin(0ns);
    one.spend(recording_allowance::saved_at_first);
    CHECK(one.is_spent());
}

TEST_CASE("pauses double up to a bound, and are short again after a time without one") {
    recording_allowance one;
    std::chrono::nanoseconds time{};
    for (const auto expected : {100ms, 200ms, 400ms, 800ms, 1600ms, 1600ms}) {
        one.begin(time);
        one.spend(1s);
        REQUIRE(one.is_spent());
        const auto end = one.pause(time + 1ms);
        CHECK(end == time + 1ms + expected);
        CHECK(one.pause(time + 2ms) == end); // of another thread
        time = end;
    }
    one.begin(time);
    one.save(time + 1600ms);
    CHECK(one.pause(time + 2s) == time + 2s + 100ms);
}
