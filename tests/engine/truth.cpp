// SPDX-License-Identifier: BSD-3-Clause
// The picture tells the truth: invariants of the samples of real workers.
#include <algorithm>
#include <numeric>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <xcores/model/summary.hpp>
#include <xcores/os/machine.hpp>

#include "../support/executor_under_test.hpp"

using namespace xcores;
using namespace xcores::test;

namespace {

model::report report_of(const std::string& kind, const std::vector<std::string>& programs) {
    const auto executor = make_executor(kind);
    const auto session = start(executor, programs);
    finish(*session);
    return session->report();
}

/// Time during which both of two workers were seen holding a GIL.
model::nanoseconds held_together(const model::worker_record& a, const model::worker_record& b) {
    model::nanoseconds sum{};
    for (const auto& one : a.spans)
        for (const auto& two : b.spans)
            if (one.gil == model::gil_state::held && two.gil == model::gil_state::held)
                sum += std::max(model::nanoseconds{0}, std::min(one.end, two.end) - std::max(one.start, two.start));
    return sum;
}

} // namespace

TEST_CASE("threads share one GIL: one holder at a time, and each waits about half the time") {
    const auto report = report_of("threads", {"long work", "long work"});
    REQUIRE(report.gils.size() == 1);
    CHECK(report.gils[0].workers == std::vector<int>{0, 1});
    // A look takes microseconds, so that at most a sample or two can fall between two readings.
    CHECK(held_together(report.workers[0], report.workers[1]) <= std::chrono::milliseconds{5});
    CHECK(model::held_share(report, report.gils[0]).value() > 0.9);
    for (const auto& worker : report.workers) {
        const auto times = model::times_of(worker);
        const auto waiting =
            static_cast<double>(times.waiting_gil.count()) / static_cast<double>(times.sampled.count());
        CHECK(waiting > 0.3);
        CHECK(waiting < 0.7);
    }
    CHECK(model::totals_of(report).cores_busy.value() < 1.2);
    CHECK(report.gils[0].handovers.value() > 20);
}

TEST_CASE("own GILs are held at once and both cores are busy") {
    const auto kind = GENERATE("subinterp", "procs");
    CAPTURE(kind);
    if (os::usable_cores().size() < 2)
        SKIP("needs two cores");
    const auto report = report_of(kind, {"long work", "long work"});
    REQUIRE(report.gils.size() == 2);
    const auto running = model::totals_of(report).running.value().length();
    CHECK(held_together(report.workers[0], report.workers[1]) > running / 4);
    for (const auto& worker : report.workers) {
        const auto times = model::times_of(worker);
        CHECK(times.waiting_gil < times.sampled / 20);
        // Where other programs want the cores too, a worker waits for a core: never for a GIL.
        CHECK(times.running_with_gil + times.waiting_core > times.sampled * 9 / 10);
    }
}

TEST_CASE("the sampled time on a core agrees with the thread's CPU clock") {
    const auto kind = GENERATE("threads", "subinterp", "procs");
    CAPTURE(kind);
    const auto report = report_of(kind, {"long work", "long work"});
    for (const auto& worker : report.workers) {
        const auto times = model::times_of(worker);
        const auto sampled = static_cast<double>((times.running_with_gil + times.running_without_gil).count()) /
                             static_cast<double>(times.sampled.count());
        const auto exact = model::cpu_share(worker).value();
        CAPTURE(sampled, exact);
        CHECK(std::abs(sampled - exact) < 0.05);
    }
}

TEST_CASE("a sleeping worker is blocked: it neither waits for the GIL nor holds it") {
    const auto kind = GENERATE("threads", "subinterp", "procs");
    CAPTURE(kind);
    const auto report = report_of(kind, {"sleep", "sleep"});
    for (const auto& worker : report.workers) {
        const auto times = model::times_of(worker);
        CHECK(times.blocked > times.sampled * 9 / 10);
        CHECK(times.gil_held < times.sampled / 10);
    }
}

TEST_CASE("cores seen are cores the process may use") {
    const auto kind = GENERATE("threads", "subinterp", "procs");
    CAPTURE(kind);
    const auto report = report_of(kind, {"work", "work"});
    for (const auto& worker : report.workers)
        for (const auto& span : worker.spans)
            CHECK(std::ranges::count(report.environment.cores.empty() ? os::usable_cores() : report.environment.cores,
                                     span.core) == 1);
}
