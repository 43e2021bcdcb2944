// SPDX-License-Identifier: BSD-3-Clause
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include <support/report_builder.hpp>
#include <support/scenarios.hpp>
#include <xcores/render/live.hpp>

namespace {

using namespace std::chrono_literals;
using namespace xcores;
using Catch::Matchers::ContainsSubstring;

std::string phase(const test::worker& worker) {
    const auto report = test::run_of(model::worker_kind::procs).worker(worker).still_running(100ms).report();
    return render::phase_of(report, report.workers[0]);
}

} // namespace

TEST_CASE("a worker passes through its phases") {
    CHECK(phase(test::worker()) == "starting");
    CHECK(phase(test::worker().started(0ms, 100ms)) == "starting");
    CHECK(phase(test::worker().started(0ms, 50ms)) == "importing, receiving");
    CHECK(phase(test::worker().started(0ms, 50ms).received(50ms, 100ms)) == "importing, receiving");
    CHECK(phase(test::worker().received(50ms, 60ms)) == "waiting for the other workers");
    CHECK(phase(test::worker().received(50ms, 60ms).ran(70ms, 101ms)) == "running");
    CHECK(phase(test::worker().ran(70ms, 80ms)) == "sending");
    CHECK(phase(test::worker().ran(70ms, 80ms).sent(80ms, 90ms)) == "sending");
    CHECK(phase(test::worker().ran(70ms, 80ms).returned()) == "done");
    CHECK(phase(test::worker().ran(70ms, 80ms).raised("ValueError", "no")) == "ValueError: no");
}

TEST_CASE("the live view shows each worker's phase, recent states and share of a core") {
    model::report report = test::ping_pong();
    report.wall.reset();
    const std::string text = render::live_text(report);
    CHECK_THAT(text, ContainsSubstring("%%threads 2   302 ms\n"));
    CHECK_THAT(text, ContainsSubstring("worker 1   done"));
    CHECK_THAT(text, ContainsSubstring("49 % of a core\n"));
}

TEST_CASE("the live view has no script, no style sheet and nothing unescaped") {
    const std::string html = render::live_html(test::hostile_strings());
    CHECK_THAT(html, !ContainsSubstring("<script"));
    CHECK_THAT(html, !ContainsSubstring("<style"));
    CHECK_THAT(html, ContainsSubstring("Evil&quot;Error"));
    CHECK_THAT(html, ContainsSubstring("<span style=\"color: "));
}

TEST_CASE("the live view stays small with many workers") {
    CHECK(render::live_html(test::many_workers(256)).size() < 64'000);
    CHECK_THAT(render::live_text(test::many_workers(256)), ContainsSubstring("and 224 more workers"));
}

TEST_CASE("a line that a worker has begun to print stands below its bar") {
    auto report =
        test::run_of(model::worker_kind::procs).worker(test::worker().ran(0ms, 2s)).still_running(2s).report();
    report.workers[0].open_line = "40 % <====";
    CHECK_THAT(render::live_text(report), ContainsSubstring(" 40 % <====\n"));
    CHECK_THAT(render::live_html(report), ContainsSubstring("40 % &lt;====\n"));
    report.workers[0].open_line.clear();
    report.workers[0].result = "of no concern yet";
    CHECK_THAT(render::live_text(report), !ContainsSubstring("concern"));
}

TEST_CASE("time before the samples that were kept is not shown as unknown") {
    test::worker one;
    one.ran(0s, 10s).not_sampled(9500ms).blocked(500ms);
    const auto report = test::run_of(model::worker_kind::threads).worker(one).still_running(10s).report();
    CHECK_THAT(render::live_text(report), !ContainsSubstring("?"));
}

TEST_CASE("the live view of a mapped cell says how far it has come, how fast, and how long it will take") {
    const auto report = test::run_of(model::worker_kind::procs)
                            .worker(test::worker().ran(0ms, 2s).did(300))
                            .worker(test::worker().ran(0ms, 2s).did(200).returned())
                            .items(500, 1, 2000)
                            .still_running(2s)
                            .report();
    const std::string text = render::live_text(report);
    CHECK_THAT(text, ContainsSubstring("499 of 2,000 items done, 1 failed (25 %), 250 a second, 6.00 s left\n"));
    CHECK_THAT(text, ContainsSubstring("worker 0   running: 300 items"));
    CHECK_THAT(text, ContainsSubstring("worker 1   done: 200 items"));
    CHECK_THAT(render::live_html(report), ContainsSubstring("499 of 2,000 items"));
}
