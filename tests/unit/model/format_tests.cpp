// SPDX-License-Identifier: BSD-3-Clause
#include <catch2/catch_test_macros.hpp>

#include <xcores/model/format.hpp>

namespace {

using namespace std::chrono_literals;
using namespace xcores::model;

} // namespace

TEST_CASE("a duration has three digits and the unit that fits") {
    CHECK(duration(0ns) == "0 ns");
    CHECK(duration(999ns) == "999 ns");
    CHECK(duration(1500ns) == "1.50 µs");
    CHECK(duration(12'340us) == "12.3 ms");
    CHECK(duration(999'400us) == "999 ms");
    CHECK(duration(999'600us) == "1.00 s");
    CHECK(duration(119s) == "119 s");
    CHECK(duration(120s) == "2 min");
    CHECK(duration(605s) == "10 min 5 s");
}

TEST_CASE("a chosen duration has no digits that say nothing") {
    CHECK(round_duration(1ms) == "1 ms");
    CHECK(round_duration(1500us) == "1.5 ms");
    CHECK(round_duration(100ms) == "100 ms");
    CHECK(round_duration(10ms) == "10 ms");
}

TEST_CASE("sizes are in decimal units") {
    CHECK(bytes(0) == "0 B");
    CHECK(bytes(999) == "999 B");
    CHECK(bytes(9'400'000) == "9.4 MB");
    CHECK(bytes(385'000'000) == "385 MB");
    CHECK(bytes(-2'000'000) == "-2.0 MB");
}

TEST_CASE("a share that is small is not nothing") {
    CHECK(percent(0.0) == "0 %");
    CHECK(percent(0.001) == "<1 %");
    CHECK(percent(0.994) == "99 %");
    CHECK(percent(1.0) == "100 %");
}

TEST_CASE("what is unknown is a dash and never a number") {
    CHECK(duration(std::nullopt) == "–");
    CHECK(bytes(std::nullopt) == "–");
    CHECK(percent(std::nullopt) == "–");
}

TEST_CASE("large counts are grouped by thousands") {
    CHECK(count(0) == "0");
    CHECK(count(999) == "999");
    CHECK(count(1000) == "1,000");
    CHECK(count(-1'234'567) == "-1,234,567");
    CHECK(count(-123) == "-123");
}
