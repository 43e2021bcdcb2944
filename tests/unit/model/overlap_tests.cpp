// SPDX-License-Identifier: BSD-3-Clause
#include <catch2/catch_approx.hpp>
#include <catch2/catch_test_macros.hpp>

#include <support/report_builder.hpp>
#include <xcores/model/competition.hpp>
#include <xcores/model/overlap.hpp>
#include <xcores/model/summary.hpp>

namespace {

using namespace std::chrono_literals;
using namespace xcores;
using enum model::worker_kind;
using model::nanoseconds;
using test::run_of;
using test::worker;

/// Whether two running spans claim one core at the same moment.
bool is_disputed(const model::report& report) {
    for (std::size_t i = 0; i < report.workers.size(); ++i)
        for (std::size_t k = i + 1; k < report.workers.size(); ++k)
            for (const model::span& a : report.workers[i].spans)
                for (const model::span& b : report.workers[k].spans)
                    if (a.core >= 0 && a.core == b.core && a.state == model::thread_state::running &&
                        b.state == model::thread_state::running && a.start < b.end && b.start < a.end)
                        return true;
    return false;
}

nanoseconds time_on(const model::report& report, int core) {
    nanoseconds sum{};
    for (const auto& one : report.workers)
        for (const model::span& each : one.spans)
            sum += each.core == core && each.state == model::thread_state::running ? each.end - each.start : 0ns;
    return sum;
}

} // namespace

TEST_CASE("no two workers are on one core at the same moment") {
    const auto first = worker().ran(0ms, 40ms).running(20ms, 1).waiting_for_core(10ms).running(10ms, 0).returned();
    const auto second = worker().ran(0ms, 40ms).waiting_for_core(5ms).running(30ms, 1).running(5ms, 0).returned();
    const auto third = worker().ran(0ms, 40ms).running(12ms, 1).blocked(28ms).returned();
    auto report = run_of(subinterp).worker(first).worker(second).worker(third).report();
    REQUIRE(is_disputed(report));
    const auto before = report;
    model::settle_cores(report);
    CHECK_FALSE(is_disputed(report));
    CHECK(time_on(report, 1) == 35ms); // from the first to the last, as before
    CHECK(time_on(report, 0) == 10ms);
    for (std::size_t i = 0; i < 3; ++i)
        CHECK(model::times_of(report.workers[i]).running_without_gil ==
              model::times_of(before.workers[i]).running_without_gil);
}

TEST_CASE("workers on cores of their own stay as they are") {
    const auto first = worker().ran(0ms, 40ms).running(40ms, 1).returned();
    const auto second = worker().ran(0ms, 40ms).running(40ms, 0).returned();
    auto report = run_of(subinterp).worker(first).worker(second).report();
    const auto before = report;
    model::settle_cores(report);
    CHECK(report == before);
}

TEST_CASE("only what has something to do at the same time is together") {
    const auto first = worker().ran(0ms, 40ms).holding(20ms).blocked(20ms).returned();
    const auto second = worker().ran(0ms, 40ms).blocked(10ms).holding(30ms).returned();
    const auto times = model::togetherness_of(run_of(procs).worker(first).worker(second).report());
    CHECK(times.any == 40ms);
    CHECK(times.several == 10ms);
    const auto unsampled =
        model::togetherness_of(run_of(procs).worker(worker().ran(0ms, 3ms)).worker(worker().ran(3ms, 5ms)).report());
    CHECK(unsampled.any == 5ms);
    CHECK(unsampled.several == 0ms);
}

TEST_CASE("workers that take the cores from each other lose nothing to others") {
    const auto half = [](bool begins) {
        worker one;
        one.ran(0ms, 160ms);
        for (int i = 0; i < 16; ++i)
            (i % 2 == 0) == begins ? one.holding(10ms) : one.waiting_for_core(10ms);
        return one.queued(80ms).cpu(80ms).returned();
    };
    const auto own = run_of(procs).worker(half(true)).worker(half(false)).worker(half(true)).worker(half(false));
    CHECK(model::lost_to_others(own.report()) == 0ns);
    const auto taken = run_of(procs).worker(half(true)).worker(half(false)).report(); // one core's worth of two
    CHECK(static_cast<double>(model::lost_to_others(taken)->count()) == Catch::Approx(80e6));
    const auto alone = run_of(procs).worker(half(true)).report();
    CHECK(static_cast<double>(model::lost_to_others(alone)->count()) == Catch::Approx(80e6));
}

TEST_CASE("threads of one GIL lose no more than leaves the time for which they ran with it") {
    // Each waits for a core, with the GIL or to ask for it.
    const auto one = worker().ran(0ms, 100ms).cpu(40ms).queued(60ms).holding(40ms).waiting_for_core(60ms).returned();
    const auto report = run_of(threads).worker(one).worker(one).sharing_gil("main").report();
    CHECK(model::lost_to_others(report) == 20ms);
    CHECK(model::lost_to_others(run_of(procs).worker(one).worker(one).report()).value() > 50ms);
}

TEST_CASE("a run that was not sampled loses what the operating system counted") {
    const auto one = worker().ran(0ms, 100ms).cpu(60ms).queued(40ms).returned();
    const auto lost = model::lost_to_others(run_of(procs).worker(one).worker(one).report());
    CHECK(static_cast<double>(lost->count()) == Catch::Approx(40e6));
    CHECK_FALSE(model::lost_to_others(run_of(procs).worker(worker().ran(0ms, 100ms)).report()));
}
