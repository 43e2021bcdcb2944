// SPDX-License-Identifier: BSD-3-Clause
#include <catch2/catch_test_macros.hpp>

#include <algorithm>

#include <support/report_builder.hpp>
#include <support/scenarios.hpp>
#include <xcores/model/downsample.hpp>
#include <xcores/model/json.hpp>
#include <xcores/model/summary.hpp>

namespace {

using namespace std::chrono_literals;
using namespace xcores;
using model::downsampled;
using model::number_of_spans;

model::report ping_pong_of(int turns) {
    test::worker one;
    test::worker other;
    one.ran(0ms, turns * 10ms);
    other.ran(0ms, turns * 10ms);
    for (int i = 0; i < turns; ++i) {
        one.holding(5ms).waiting_for_gil(5ms);
        other.waiting_for_gil(5ms).holding(5ms, 1);
    }
    return test::run_of(model::worker_kind::threads)
        .worker(one.returned())
        .worker(other.returned())
        .sharing_gil("main interpreter")
        .report();
}

} // namespace

TEST_CASE("fewer spans keep every total exactly") {
    const model::report all = ping_pong_of(1000);
    const model::report few = downsampled(all, 20);
    CHECK(number_of_spans(few) <= 2 * 21 * 2);
    CHECK(few.downsampled_from == 4000);
    for (std::size_t i = 0; i < all.workers.size(); ++i) {
        const auto before = model::times_of(all.workers[i]);
        const auto after = model::times_of(few.workers[i]);
        CHECK(after.running_with_gil == before.running_with_gil);
        CHECK(after.waiting_gil == before.waiting_gil);
        CHECK(after.sampled == before.sampled);
    }
    CHECK(model::caption_of(few) == model::caption_of(all));
}

TEST_CASE("a short event stays in a long run") {
    const auto rare =
        test::worker().ran(0s, 600s).blocked(300s).running(1ms, 3).blocked(100s).holding(1ms).blocked(200s - 2ms);
    const auto report = test::run_of(model::worker_kind::procs).worker(rare).report();
    const model::report few = downsampled(report, 1);
    CHECK(model::times_of(few.workers[0]).running_without_gil == 1ms);
    CHECK(model::times_of(few.workers[0]).running_with_gil == 1ms);
    CHECK(std::ranges::any_of(few.workers[0].spans, [](const model::span& one) { return one.core == 3; }));
}

TEST_CASE("spans of a window follow each other and do not overlap") {
    const model::report few = downsampled(ping_pong_of(100), 7);
    for (const auto& worker : few.workers)
        for (std::size_t i = 1; i < worker.spans.size(); ++i)
            CHECK(worker.spans[i].start >= worker.spans[i - 1].end);
}

TEST_CASE("what would not get shorter stays as it is") {
    CHECK(downsampled(test::side_by_side(), 1000) == test::side_by_side());
    CHECK(downsampled(test::nobody(), 10) == test::nobody());
}

TEST_CASE("no windows are no spans, and the number there was is kept through all") {
    const model::report none = downsampled(downsampled(ping_pong_of(100), 7), 0);
    CHECK(number_of_spans(none) == 0);
    CHECK(none.downsampled_from == 400);
    CHECK(model::report_from_json(model::to_json(none)) == none);
}

TEST_CASE("spans of nonsense times from a file do not hang") {
    model::report odd = ping_pong_of(10);
    odd.workers[0].spans[0].start = -1h;
    odd.workers[1].spans[3].end = odd.workers[1].spans[3].start - 5ms;
    CHECK(number_of_spans(downsampled(odd, 10)) == 0);
}

TEST_CASE("a report saved before there was downsampling can be read") {
    auto document = model::to_json(test::side_by_side());
    document.erase("downsampled_from");
    CHECK(model::report_from_json(document) == test::side_by_side());
}
