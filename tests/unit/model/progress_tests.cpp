// SPDX-License-Identifier: BSD-3-Clause
#include <catch2/catch_test_macros.hpp>

#include <support/report_builder.hpp>
#include <support/scenarios.hpp>
#include <xcores/model/progress.hpp>
#include <xcores/model/repeats.hpp>

namespace {

using namespace std::chrono_literals;
using namespace xcores;
using enum model::worker_kind;

test::run_of mapped(std::int64_t done, std::optional<std::int64_t> total) {
    test::run_of run(threads);
    run.worker(test::worker().ran(1s, 3s).did(done)).items(done, 0, total).still_running(3s);
    return run;
}

model::report took(model::nanoseconds time) {
    return test::run_of(threads).worker(test::worker().ran(0ms, time).returned()).wall(time).report();
}

} // namespace

TEST_CASE("a cell that is not mapped has no progress") {
    CHECK_FALSE(model::progress_of(test::ping_pong()));
    CHECK(model::progress_text(test::ping_pong()).empty());
}

TEST_CASE("the rate counts from the first worker's start, and the time left follows from it") {
    const auto now = model::progress_of(mapped(100, 300).report());
    REQUIRE(now);
    CHECK(now->per_second == 50.0);
    CHECK(now->left == 4s);
}

TEST_CASE("of items without a known number there is a rate, and no time left") {
    CHECK(model::progress_text(mapped(100, std::nullopt).report()) == "100 items done, 50 a second");
}

TEST_CASE("before the first item there is no rate; after the last one nothing is left") {
    CHECK(model::progress_text(mapped(0, 10).report()) == "0 of 10 items done (0 %)");
    CHECK_FALSE(model::progress_of(mapped(10, 10).report())->left);
}

TEST_CASE("an item that failed is not done, but nothing is left of it") {
    auto run = mapped(10, 10);
    run.items(10, 1, 10);
    CHECK(model::progress_text(run.report()) == "9 of 10 items done, 1 failed (100 %), 5.00 a second");
    CHECK_FALSE(model::progress_of(run.report())->left);
}

TEST_CASE("of several runs the report is that of the median one, with the spread of all") {
    const auto all = model::repeated({took(9ms), took(2ms), took(4ms)});
    CHECK(all.wall == 4ms);
    REQUIRE(all.repeats);
    CHECK(all.repeats->runs == 3);
    CHECK(all.repeats->wall == model::spread{2ms, 4ms, 9ms});
    CHECK(all.repeats->run[0] == model::spread{2ms, 4ms, 9ms});
}

TEST_CASE("a worker that did not run every time has no spread") {
    auto failed = took(3ms);
    failed.workers[0].run.reset();
    CHECK_FALSE(model::repeated({took(9ms), failed}).repeats->run[0]);
}
