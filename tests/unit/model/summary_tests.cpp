// SPDX-License-Identifier: BSD-3-Clause
#include <catch2/catch_approx.hpp>
#include <catch2/catch_test_macros.hpp>

#include <numeric>

#include <support/report_builder.hpp>
#include <support/scenarios.hpp>
#include <xcores/model/summary.hpp>

namespace {

using namespace std::chrono_literals;
using namespace xcores;
using Catch::Approx;
using enum model::worker_kind;

model::nanoseconds sum_of(const model::state_times& times) {
    return times.running_with_gil + times.running_without_gil + times.running_unclear + times.waiting_gil +
           times.waiting_core + times.blocked + times.unknown;
}

} // namespace

TEST_CASE("the parts of a worker's time add up to what was sampled") {
    for (const test::scenario& one : test::scenarios())
        for (const model::worker_record& worker : one.report.workers)
            CHECK(sum_of(model::times_of(worker)) == model::times_of(worker).sampled);
}

TEST_CASE("only samples within the run count") {
    model::worker_record worker = test::worker().ran(10ms, 30ms).holding(15ms).blocked(20ms).record();
    worker.spans.front().start = 0ms;
    const model::state_times times = model::times_of(worker);
    CHECK(times.running_with_gil == 15ms);
    CHECK(times.blocked == 5ms);
    CHECK(times.sampled == 20ms);
}

TEST_CASE("a GIL held while off the core counts as held and as waiting") {
    const auto worker =
        test::worker().ran(0ms, 4ms).holding(1ms).waiting_for_core(3ms, model::gil_state::held).record();
    CHECK(model::times_of(worker).gil_held == 4ms);
    CHECK(model::times_of(worker).waiting_core == 3ms);
}

TEST_CASE("running with an unknown GIL is running, neither with it nor without") {
    const auto times = model::times_of(test::worker().ran(0ms, 6ms).elsewhere(2ms).waiting_for_gil(4ms).record());
    CHECK(times.running_unclear == 2ms);
    CHECK(times.unknown == 0ms);
    CHECK(model::gil_wait_share(times).value() == Approx(4.0 / 6));
}

TEST_CASE("where nothing is known of GILs, it is unknown how long one was waited for") {
    CHECK_FALSE(
        model::gil_wait_share(model::times_of(test::worker().ran(0ms, 3ms).elsewhere(2ms).unknown(1ms).record())));
    CHECK_FALSE(model::gil_wait_share({}));
}

TEST_CASE("without a run there are no times and no share") {
    const model::worker_record worker = test::worker().cpu(1ms).holding(2ms).record();
    CHECK(model::times_of(worker).sampled == 0ns);
    CHECK_FALSE(model::cpu_share(worker));
    CHECK_FALSE(model::cpu_share(test::worker().ran(1ms, 1ms).cpu(0ms).record()));
    CHECK_FALSE(model::cpu_share(test::worker().ran(1ms, 2ms).record()));
}

TEST_CASE("cores busy is all CPU time over the time from the first start to the last end") {
    const auto report = test::run_of(procs)
                            .worker(test::worker().ran(0ms, 10ms).cpu(10ms).memory(3))
                            .worker(test::worker().ran(5ms, 20ms).cpu(5ms).returned())
                            .worker(test::worker().memory(4))
                            .report();
    const model::totals sum = model::totals_of(report);
    CHECK(sum.running == model::interval{0ms, 20ms});
    CHECK(sum.cores_busy.value() == Approx(0.75));
    CHECK(sum.memory_bytes == 7);
    CHECK(sum.returned == 1);
    CHECK(sum.speedup_bound == 2);
}

TEST_CASE("the time that the cell ran is told where it is another than that of the whole run") {
    const auto ran = [](model::worker_kind kind, model::nanoseconds begin) {
        return test::run_of(kind).worker(test::worker().ran(begin, 20ms).cpu(5ms)).wall(20ms).report();
    };
    CHECK(model::running_words(ran(procs, 12ms)) == ", of which the cell ran 8.00 ms");
    CHECK(model::running_words(ran(procs, 0ms)).empty());
    CHECK(model::running_words(ran(model::worker_kind::cores, 12ms)).empty()); // of lanes, not of the cell
    CHECK(model::running_words(test::nobody()).empty());
}

TEST_CASE("CPU time that is unknown for one is unknown for all") {
    const auto report =
        test::run_of(procs).worker(test::worker().ran(0ms, 1ms).cpu(1ms)).worker(test::worker().ran(0ms, 1ms)).report();
    CHECK_FALSE(model::totals_of(report).cpu);
    CHECK_FALSE(model::totals_of(report).cores_busy);
}

TEST_CASE("the speed-up bound is the smaller of workers and cores and at least one") {
    CHECK(model::totals_of(test::run_of(threads).report()).speedup_bound == 1);
    const auto four = test::run_of(threads).worker({}).worker({}).worker({}).worker({});
    CHECK(model::totals_of(test::run_of(four).cores({0, 2, 5}).report()).speedup_bound == 3);
    CHECK(model::totals_of(test::run_of(four).cores({}).report()).speedup_bound == 4);
}

TEST_CASE("a shared GIL in ping-pong is always held, by each for half of the time") {
    const model::report report = test::ping_pong();
    CHECK(model::held_share(report, report.gils[0]).value() == Approx(1));
    const std::vector<double> holders = model::holders_of(report, report.gils[0]);
    REQUIRE(holders.size() == 2);
    CHECK(holders[0] == Approx(0.5));
}

TEST_CASE("two holders of one GIL at once show as more than all of the time") {
    const auto report = test::run_of(threads)
                            .worker(test::worker().ran(0ms, 10ms).holding(10ms))
                            .worker(test::worker().ran(0ms, 10ms).holding(10ms))
                            .sharing_gil("main interpreter")
                            .report();
    CHECK(model::held_share(report, report.gils[0]).value() == Approx(2));
}

TEST_CASE("time in which it is not clear who held a GIL makes its share a range") {
    const auto first = test::worker().ran(0ms, 10ms).holding(2ms).waiting_for_gil(6ms).holding(2ms);
    const auto second = test::worker().ran(0ms, 10ms).waiting_for_gil(1ms).elsewhere(4ms).waiting_for_gil(5ms);
    const auto report = test::run_of(threads).worker(first).worker(second).sharing_gil("main interpreter").report();
    CHECK(model::unclear_holding(report, report.gils[0]) == std::vector<model::interval>{{2ms, 5ms}});
    CHECK(model::held_bounds(report, report.gils[0])->least == Approx(0.4));
    CHECK(model::held_bounds(report, report.gils[0])->most == Approx(0.7));
    CHECK_FALSE(model::held_share(report, report.gils[0]));
    CHECK(model::held_words(report, report.gils[0]) == "held 40 to 70 % of the time");
}

TEST_CASE("a GIL is perhaps held for all of the CPU time that is not known to be without it") {
    const auto bursts = test::worker().ran(0ms, 1000ms).cpu(130ms).holding(10ms).blocked(990ms);
    const auto report = test::run_of(threads).worker(bursts).sharing_gil("main").sampled(1ms, 1us).report();
    CHECK(model::held_words(report, report.gils[0]) == "held 1 to 13 % of the time");
    const auto hashing = test::worker().ran(0ms, 1000ms).cpu(130ms).holding(10ms).running(120ms).blocked(870ms);
    const auto known = test::run_of(threads).worker(hashing).sharing_gil("main").sampled(1ms, 1us).report();
    CHECK(model::held_words(known, known.gils[0]) == "held 1 % of the time");
}

TEST_CASE("of a GIL of which hardly anything is known no share is told") {
    const auto held_for = [](model::nanoseconds known) {
        const auto worker = test::worker().ran(0ms, 100ms).holding(known).elsewhere(100ms - known);
        return test::run_of(threads).worker(worker).sharing_gil("main interpreter").report();
    };
    const auto little = held_for(45ms);
    CHECK(model::unclear_holding(little, little.gils[0]) == std::vector<model::interval>{{45ms, 100ms}});
    CHECK_FALSE(model::held_share(little, little.gils[0]));
    CHECK(model::held_words(little, little.gils[0]).empty());
    const auto enough = held_for(55ms);
    CHECK(model::held_words(enough, enough.gils[0]) == "held 55 to 100 % of the time");
}

TEST_CASE("no more cores are busy than there are, and no thread is busier than a core") {
    const auto ahead = test::worker().ran(0ms, 10ms).cpu(11ms);
    const auto report = test::run_of(procs).worker(ahead).worker(ahead).report();
    CHECK(model::totals_of(report).cores_busy.value() == Approx(2));
    CHECK(model::cpu_share(ahead.record()).value() == Approx(1));
}

TEST_CASE("a thread keeps no more than one core busy, though its clock is read for longer than it ran") {
    const auto one = test::worker().ran(0ms, 2ms).cpu(3ms).returned();
    CHECK(model::totals_of(test::run_of(threads).worker(one).report()).cores_busy.value() == Approx(1));
    CHECK(model::totals_of(test::run_of(procs).worker(one).report()).cores_busy.value() == Approx(1.5));
}

TEST_CASE("who held a GIL that nobody sampled is unknown") {
    const model::report report =
        test::run_of(threads).worker(test::worker().ran(0ms, 1ms)).sharing_gil("main").report();
    CHECK_FALSE(model::held_share(report, report.gils[0]));
    CHECK(model::holders_of(report, report.gils[0]).empty());
}

TEST_CASE("a GIL nobody held has a share of zero and no holders") {
    const auto report =
        test::run_of(threads).worker(test::worker().ran(0ms, 5ms).blocked(5ms)).sharing_gil("main").report();
    CHECK(model::held_share(report, report.gils[0]) == 0.0);
    CHECK(model::holders_of(report, report.gils[0]).empty());
}

TEST_CASE("a GIL of workers that are not in the report does no harm") {
    model::report report = test::ping_pong();
    report.gils.push_back({"elsewhere", {7, -1}, {}});
    CHECK_FALSE(model::held_share(report, report.gils.back()));
}

TEST_CASE("the shares of the holders add up to one") {
    const model::report report = test::many_workers(16);
    const std::vector<double> holders = model::holders_of(report, report.gils[0]);
    CHECK(std::accumulate(holders.begin(), holders.end(), 0.0) == Approx(1));
}

TEST_CASE("what moved is added up over the workers of which it is known") {
    const auto report = test::run_of(procs)
                            .worker(test::worker().moved({1, 10}, {2, 0}).shares(100, 50))
                            .worker(test::worker())
                            .worker(test::worker().moved({3, 30}, {4, 40}).shares(200, 60))
                            .report();
    const auto sum = model::totals_of(report);
    CHECK(sum.bytes_in == model::traffic{4, 40});
    CHECK(sum.bytes_out == model::traffic{6, 40});
    CHECK(sum.proportional_bytes == 300);
    CHECK_FALSE(model::totals_of(test::run_of(procs).worker(test::worker()).report()).bytes_in);
}
