// SPDX-License-Identifier: BSD-3-Clause
// What is recorded event by event agrees with what the workers note themselves, and with the system's own counts.
#include <Python.h>

#include <algorithm>
#include <sstream>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <xcores/model/summary.hpp>
#include <xcores/os/machine.hpp>

#include "../support/executor_under_test.hpp"
#include "../support/known_time.hpp"

using namespace xcores;
using namespace xcores::test;
using namespace std::chrono_literals;
using model::nanoseconds;

namespace {

struct recorded_run {
    std::shared_ptr<run::session> session;
    model::report report;
};

recorded_run record(const std::string& kind, const std::vector<std::string>& programs, run::plan plan = {}) {
    recorded_run made;
    made.session = start(make_executor(kind), programs, std::move(plan));
    finish(*made.session);
    made.report = made.session->report();
    if (!made.report.sampling || !made.report.sampling->recorded)
        SKIP("the system does not allow to record events");
    return made;
}

const model::recorded_events& events_of(const recorded_run& from) {
    return *from.report.sampling->recorded;
}

/// Within the run.
template <typename Condition>
nanoseconds time_where(const model::worker_record& worker, Condition condition) {
    nanoseconds sum{};
    for (const auto& span : worker.spans)
        if (condition(span))
            sum +=
                std::max(nanoseconds{0}, std::min(span.end, worker.run->end) - std::max(span.start, worker.run->start));
    return sum;
}

struct hold {
    nanoseconds start;
    nanoseconds end;
};

/// By the monotonic clock; what follows without a gap is one.
std::vector<hold> holds_of(const recorded_run& from, std::size_t worker) {
    std::vector<hold> all;
    for (const auto& span : from.report.workers[worker].spans) {
        if (span.gil != model::gil_state::held)
            continue;
        const hold next{span.start + from.session->start_time(), span.end + from.session->start_time()};
        if (!all.empty() && all.back().end == next.start)
            all.back().end = next.end;
        else
            all.push_back(next);
    }
    return all;
}

struct noted_sleep {
    nanoseconds before;
    nanoseconds after;
};

std::vector<noted_sleep> sleeps_noted_by(const recorded_run& from, int worker) {
    std::istringstream text(from.session->output(worker)->data);
    std::vector<noted_sleep> all;
    for (std::int64_t before = 0, after = 0; text >> before >> after;)
        all.push_back({nanoseconds{before}, nanoseconds{after}});
    return all;
}

nanoseconds median(std::vector<nanoseconds> of) {
    std::ranges::sort(of);
    return of.at(of.size() / 2);
}

} // namespace

TEST_CASE("hand-overs are recorded when the threads note them, and each wait is seen") {
    const auto one = record("threads", {"second of work", "sleep and note"});
    const auto holds = holds_of(one, 1);
    const auto sleeps = sleeps_noted_by(one, 1);
    REQUIRE(sleeps.size() == 100);
    std::vector<nanoseconds> errors;
    std::size_t missing = 0;
    for (const auto& sleep : sleeps) {
        const auto left = std::ranges::find_if(holds, [&](const hold& each) { return each.end >= sleep.before; });
        const auto back = std::ranges::find_if(holds, [&](const hold& each) { return each.end >= sleep.after; });
        if (left == holds.end() || back == holds.end() || back == left) {
            ++missing;
            continue;
        }
        errors.push_back(left->end - sleep.before);
        errors.push_back(std::max(sleep.after - back->start, back->start - sleep.after));
    }
    CAPTURE(missing);
    // On a busy machine preemptions use up the allowance, too.
    const auto sampled = events_of(one).sampled;
    if (sampled > one.report.elapsed / 4)
        SKIP("too much was sampled");
    CHECK(missing <= (sampled > 0ns ? sleeps.size() / 4 : 0));
    CHECK(median(errors) < 20us);
}

TEST_CASE("no two threads are recorded with one GIL at the same time") {
    const auto one = record("threads", {"long work", "long work", "sleep and note"});
    nanoseconds together{};
    for (std::size_t a = 0; a < 3; ++a)
        for (std::size_t b = a + 1; b < 3; ++b)
            for (const auto& first : holds_of(one, a))
                for (const auto& second : holds_of(one, b))
                    together += std::max(0ns, std::min(first.end, second.end) - std::max(first.start, second.start));
    CHECK(together <= events_of(one).acquisitions * 1us);
}

TEST_CASE("of threads that compute, nothing is unknown") {
    const auto kind = GENERATE("threads", "subinterp", "procs", "forkserver");
    CAPTURE(kind);
    const auto one = record(kind, {"long work", "long work"});
    if (events_of(one).sampled > 0ns)
        SKIP("a part was sampled");
    for (const auto& worker : one.report.workers) {
        const auto unknown = time_where(worker, [](const model::span& span) {
            return span.state == model::thread_state::unknown || span.gil == model::gil_state::unknown;
        });
        const auto known = time_where(worker, [](const model::span&) { return true; }) - unknown;
        CHECK(unknown == 0ns);
        CHECK(known > worker.run->length() * 99 / 100);
    }
}

TEST_CASE("the recorded time on a core is that of the thread's clock within a thousandth") {
    const auto kind = GENERATE("threads", "subinterp", "procs", "forkserver");
    CAPTURE(kind);
    const auto stolen_before = stolen();
    const auto one = record(kind, {"second of work", "second of work"});
    const auto taken = stolen() - stolen_before; // by the host, while a thread seemed to be on a core
    for (const auto& worker : one.report.workers) {
        const auto recorded =
            time_where(worker, [](const model::span& span) { return span.state == model::thread_state::running; });
        const auto unknown =
            time_where(worker, [](const model::span& span) { return span.state == model::thread_state::unknown; });
        // What a switch takes is learned as a mean.
        const auto switches = worker.voluntary_switches.value() + worker.involuntary_switches.value();
        const auto allowed = worker.run->length() / 1000 + switches * 2us;
        CAPTURE(recorded.count(), worker.cpu->count(), switches, taken.count(), unknown.count(),
                events_of(one).sampled.count());
        CHECK(recorded + unknown > *worker.cpu - allowed); // unknown where there was no room for records
        CHECK(recorded < *worker.cpu + allowed + taken);
    }
}

TEST_CASE("each preemption by another program is recorded") {
    run::plan both_on_one_core;
    both_on_one_core.pin_to = {os::usable_cores().front()};
    const auto one = record("procs", {"long work", "long work"}, both_on_one_core); // each is the other's competitor
    std::int64_t counted = 0;
    for (const auto& worker : one.report.workers)
        counted += worker.involuntary_switches.value();
    CHECK(counted > 10);
    CHECK(events_of(one).preemptions >= counted);
    CHECK(events_of(one).preemptions <= counted + counted / 10 + 10); // it is recorded before and after the run too
}

TEST_CASE("a thread that has woken up and waits for a core is recorded as that") {
    run::plan all_on_one_core;
    all_on_one_core.pin_to = {os::usable_cores().front()};
    const auto one = record("procs", {"sleep and note", "second of work", "second of work"}, all_on_one_core);
    if (events_of(one).sampled > 0ns)
        SKIP("a part was sampled");
    const auto& sleeper = one.report.workers[0];
    const auto waited =
        time_where(sleeper, [](const model::span& span) { return span.state == model::thread_state::waiting_core; });
    CAPTURE(waited.count(), sleeper.queue_wait->count());
    CHECK(*sleeper.queue_wait > 1ms);
    CHECK(static_cast<double>(waited.count()) > 0.5 * static_cast<double>(sleeper.queue_wait->count()));
    CHECK(static_cast<double>(waited.count()) < 1.2 * static_cast<double>(sleeper.queue_wait->count()));
}

TEST_CASE("where there is too much to record, it is sampled, and that is told") {
    const auto kind = GENERATE("threads", "subinterp", "procs");
    const auto program = GENERATE("release often", "switch often");
    CAPTURE(kind, program);
    const auto one = record(kind, {program});
    const auto& worker = one.report.workers[0];
    const auto running =
        time_where(worker, [](const model::span& span) { return span.state == model::thread_state::running; });
    const auto unknown = time_where(worker, [](const model::span& span) {
        return span.state == model::thread_state::unknown || span.gil == model::gil_state::unknown;
    });
    CHECK(events_of(one).acquisitions < 10'000);
#ifdef __SANITIZE_ADDRESS__ // makes the program so slow that more of it can be recorded
    CHECK(events_of(one).sampled + unknown > 0ns);
#else
    CHECK(events_of(one).sampled + unknown > worker.run->length() / 2);
#endif
    CHECK(static_cast<double>((running + unknown).count()) > 0.9 * static_cast<double>(worker.cpu->count()));
}
