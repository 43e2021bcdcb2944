// SPDX-License-Identifier: BSD-3-Clause
// The picture tells the truth: invariants of the samples of real workers.
#include <Python.h>

#include <algorithm>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <xcores/model/certainty.hpp>
#include <xcores/model/summary.hpp>
#include <xcores/os/machine.hpp>

#include "../support/executor_under_test.hpp"
#include "../support/known_time.hpp"

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

TEST_CASE("threads share one GIL: one holder at a time, and each waits about half the time", "[truth]") {
    const auto report = report_of("threads", {"long work", "long work"});
    REQUIRE(report.gils.size() == 1);
    CHECK(report.gils[0].workers == std::vector<int>{0, 1});
    for (const auto& one : report.workers[0].spans)
        for (const auto& two : report.workers[1].spans)
            if (one.gil == model::gil_state::held && two.gil == model::gil_state::held &&
                std::min(one.end, two.end) - std::max(one.start, two.start) > std::chrono::microseconds{200})
                UNSCOPED_INFO("held by 0 from " << one.start.count() << " to " << one.end.count() << " "
                                                << model::name_of(one.state) << ", by 1 from " << two.start.count()
                                                << " to " << two.end.count() << " " << model::name_of(two.state));
    // A look takes microseconds, so that at most a sample or two can fall between two readings.
    CHECK(held_together(report.workers[0], report.workers[1]) <= std::chrono::milliseconds{5});
    double held = 0;
    double queued = 0;
    for (const auto& worker : report.workers) {
        const auto times = model::times_of(worker);
        CHECK(times.waiting_gil > undisturbed(times) * 3 / 10);
        CHECK(times.waiting_gil < known(times) * 7 / 10);
        const auto all = static_cast<double>(known(times).count());
        held += static_cast<double>(times.gil_held.count()) / all;
        // A thread that is handed the GIL must first be on a core, which other programs may use.
        queued += static_cast<double>(worker.queue_wait.value().count()) / all;
    }
    CHECK(held + queued > 0.8);
    CHECK(model::totals_of(report).cores_busy.value() < 1.2);
    CHECK(report.gils[0].handovers.value() > 20);
}

TEST_CASE("own GILs are held at once and both cores are busy", "[truth]") {
    const auto kind = GENERATE("subinterp", "procs", "forkserver");
    CAPTURE(kind);
    if (os::usable_cores().size() < 2)
        SKIP("needs two cores");
    const auto report = report_of(kind, {"long work", "long work"});
    REQUIRE(report.gils.size() == 2);
    for (const auto& worker : report.workers) {
        const auto times = model::times_of(worker);
        CHECK(held_together(report.workers[0], report.workers[1]) > undisturbed(times) / 4);
        CHECK(times.waiting_gil < times.sampled / 20);
        // Where other programs want the cores too, a worker waits for a core: never for a GIL.
        CHECK(times.running_with_gil + times.waiting_core > known(times) * 9 / 10);
    }
}

TEST_CASE("the hand-overs of two spinning threads follow the switch interval", "[truth]") {
    const auto milliseconds = GENERATE(5, 20);
    CAPTURE(milliseconds);
    const auto state = PyGILState_Ensure();
    PyRun_SimpleString(("import sys; sys.setswitchinterval(" + std::to_string(milliseconds) + "e-3)").c_str());
    PyGILState_Release(state);
    const auto stolen_before = stolen();
    const auto report = report_of("threads", {"long work", "long work"});
    const auto taken = stolen() - stolen_before;
    const auto running = model::totals_of(report).running.value().length();
    const auto expected = static_cast<double>(running / std::chrono::milliseconds{milliseconds});
    const auto counted = static_cast<double>(report.gils.at(0).handovers.value());
    // A thread that is to hand over must first be on a core: other programs and machines can only make hand-overs
    // fewer.
    CHECK(counted < expected * 1.1 + 2);
    const auto waited = taken + report.workers[0].queue_wait.value() + report.workers[1].queue_wait.value();
    const auto undisturbed = 1 - static_cast<double>(waited.count()) / static_cast<double>(running.count());
    CHECK(counted > expected * 0.9 * undisturbed - 2);
}

TEST_CASE("work in C that lets the GIL go runs side by side without it", "[truth]") {
    const auto program = GENERATE("hash", "compress");
    CAPTURE(program);
    const auto report = report_of("threads", {program, program});
    for (const auto& worker : report.workers) {
        const auto times = model::times_of(worker);
        // On a busy machine the GIL may be held, for a moment, by a thread that waits for a core.
        CHECK(times.running_without_gil > (undisturbed(times) - times.waiting_gil) / 2);
        // It takes the GIL now and then, and a sample of that moment stands for a whole interval.
        CHECK(times.running_with_gil < undisturbed(times) / 4 + 2 * model::sampling_interval(report));
    }
}

TEST_CASE("exact totals are told: switches, faults and moves between cores", "[truth]") {
    const auto kind = GENERATE("threads", "subinterp", "procs");
    CAPTURE(kind);
    const auto report = report_of(kind, {"sleep", "touch"});
    CHECK(report.workers[0].voluntary_switches.value() >= 1);
    constexpr int pages = 2000; // of the 16 MB that the program touches, whatever the page size up to 8 kB
    CHECK(report.workers[1].minor_faults.value() >= pages);
    CHECK(report.workers[1].major_faults.has_value());
    for (const auto& worker : report.workers)
        CHECK(worker.migrations.value_or(0) >= 0);
}

TEST_CASE("the sampled time on a core agrees with the thread's CPU clock", "[truth]") {
    const auto kind = GENERATE("threads", "subinterp", "procs", "forkserver");
    CAPTURE(kind);
    const auto report = report_of(kind, {"second of work", "second of work"});
    for (const auto& worker : report.workers) {
        model::nanoseconds all{};
        model::nanoseconds running{};
        for (const auto& span : worker.spans) {
            const auto length = std::min(span.end, worker.run->end) - std::max(span.start, worker.run->start);
            if (length <= model::nanoseconds{0})
                continue;
            all += length;
            running += span.state == model::thread_state::running ? length : model::nanoseconds{0};
        }
        const auto sampled = static_cast<double>(running.count()) / static_cast<double>(all.count());
        const auto exact = model::cpu_share(worker).value();
        CAPTURE(sampled, exact);
        CHECK(std::abs(sampled - exact) < 0.02);
    }
}

TEST_CASE("a sleeping worker is blocked: it neither waits for the GIL nor holds it", "[truth]") {
    const auto kind = GENERATE("threads", "subinterp", "procs", "forkserver");
    CAPTURE(kind);
    const auto report = report_of(kind, {"sleep", "sleep"});
    for (const auto& worker : report.workers) {
        const auto times = model::times_of(worker);
        CHECK(times.blocked > undisturbed(times) * 9 / 10);
        CHECK(times.gil_held < times.sampled / 10);
    }
}

TEST_CASE("cores seen are cores the process may use", "[truth]") {
    const auto kind = GENERATE("threads", "subinterp", "procs", "forkserver");
    CAPTURE(kind);
    const auto report = report_of(kind, {"work", "work"});
    for (const auto& worker : report.workers)
        for (const auto& span : worker.spans)
            if (span.core != -1) // unknown: nobody looked for a while
                CHECK(
                    std::ranges::count(report.environment.cores.empty() ? os::usable_cores() : report.environment.cores,
                                       span.core) == 1);
}
