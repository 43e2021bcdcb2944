// SPDX-License-Identifier: BSD-3-Clause
// One suite for every executor, the fake one included, so that the fake cannot lie.
#include <algorithm>
#include <sstream>
#include <string_view>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators_range.hpp>

#include "../support/executor_under_test.hpp"

using namespace xcores;
using namespace xcores::test;
using enum model::outcome_kind;

namespace {

executor_under_test any_executor() {
    const auto name = GENERATE(from_range(executor_names()));
    CAPTURE(name);
    return make_executor(name);
}

void check_usable(const executor_under_test& executor) {
    const auto next = start(executor, {"answer", "answer"});
    finish(*next);
    for (const auto& worker : next->report().workers)
        CHECK(worker.how.kind == returned);
}

} // namespace

TEST_CASE("results and payloads come back in worker order") {
    const auto executor = any_executor();
    const auto session = start(executor, {"answer", "answer", "answer"});
    finish(*session);
    const auto report = session->report();
    REQUIRE(report.workers.size() == 3);
    for (int i = 0; i < 3; ++i) {
        const auto& worker = report.workers[static_cast<std::size_t>(i)];
        CHECK(worker.index == i);
        CHECK(worker.how.kind == returned);
        CHECK(worker.result == "42");
        CHECK(session->output(i)->data == "worker " + std::to_string(i) + " of 3");
    }
    CHECK(report.wall.has_value());
}

TEST_CASE("the phases of a worker follow each other and no run begins before all have received") {
    const auto executor = any_executor();
    const auto session = start(executor, {"answer", "answer"});
    finish(*session);
    const auto report = session->report();
    for (const auto& worker : report.workers) {
        REQUIRE(worker.startup);
        REQUIRE(worker.transfer_in);
        REQUIRE(worker.run);
        REQUIRE(worker.transfer_out);
        CHECK(worker.startup->start <= worker.startup->end);
        CHECK(worker.startup->end <= worker.transfer_in->start);
        CHECK(worker.transfer_in->start <= worker.transfer_in->end);
        CHECK(worker.run->start <= worker.run->end);
        CHECK(worker.run->end <= worker.transfer_out->end);
        CHECK(worker.transfer_out->end <= *report.wall);
        for (const auto& other : report.workers)
            CHECK(other.transfer_in->end <= worker.run->start);
    }
}

TEST_CASE("imports are a phase of their own, between start-up and transfer") {
    using namespace std::chrono_literals;
    const auto executor = any_executor();
    const auto check_import = [](const model::worker_record& worker) {
        REQUIRE(worker.imports);
        REQUIRE(worker.transfer_in);
        CHECK(worker.imports->length() >= 5ms);
        CHECK(worker.imports->end == worker.transfer_in->start);
        CHECK(worker.transfer_in->start <= worker.transfer_in->end);
        CHECK(worker.transfer_in->end <= worker.run->start);
    };
    const auto first = start(executor, {"import", "answer", "import a little"});
    finish(*first);
    const auto cold = first->report();
    check_import(cold.workers[0]);
    REQUIRE(cold.workers[0].startup);
    CHECK(cold.workers[0].startup->start <= cold.workers[0].startup->end);
    CHECK(cold.workers[0].startup->end <= cold.workers[0].imports->start);
    CHECK_FALSE(cold.workers[1].imports);
    CHECK_FALSE(cold.workers[2].imports);
    const auto second = start(executor, {"import", "answer", "answer"});
    finish(*second);
    const auto warm = second->report();
    check_import(warm.workers[0]);
    CHECK_FALSE(warm.workers[1].imports);
    CHECK_FALSE(warm.workers[2].imports);
}

TEST_CASE("imports take no longer than the phases in which they happened") {
    const auto executor = any_executor();
    for (const char* state : {"cold", "warm"}) {
        CAPTURE(state);
        const auto session = start(executor, {"boast"});
        finish(*session);
        const auto worker = session->report().workers.at(0);
        REQUIRE(worker.transfer_in);
        CHECK(worker.startup.has_value() == (std::string_view(state) == "cold"));
        auto last = model::nanoseconds{0};
        for (const auto& phase : {worker.startup, worker.imports, worker.transfer_in, worker.run})
            if (phase) {
                CHECK(phase->start >= last);
                CHECK(phase->end >= phase->start);
                last = phase->end;
            }
    }
}

TEST_CASE("workers are warm in the next run") {
    const auto executor = any_executor();
    const auto first = start(executor, {"answer", "answer"});
    finish(*first);
    const auto second = start(executor, {"answer", "answer"});
    finish(*second);
    const auto before = first->report();
    const auto after = second->report();
    std::vector<std::int64_t> threads[2];
    for (std::size_t i = 0; i < 2; ++i) {
        CHECK(before.workers[i].startup);
        CHECK_FALSE(after.workers[i].startup);
        threads[0].push_back(before.workers[i].native_thread_id);
        threads[1].push_back(after.workers[i].native_thread_id);
    }
    CHECK(std::ranges::is_permutation(threads[0], threads[1]));
}

TEST_CASE("a worker that raises keeps its timings and the others their results") {
    const auto executor = any_executor();
    const auto session = start(executor, {"answer", "raise", "answer"});
    finish(*session);
    const auto report = session->report();
    CHECK(report.workers[0].how.kind == returned);
    CHECK(report.workers[2].how.kind == returned);
    const auto& failed_one = report.workers[1];
    CHECK(failed_one.how.kind == raised);
    CHECK(failed_one.how.type == "ValueError");
    CHECK(failed_one.how.message == "bad");
    CHECK(failed_one.run);
    check_usable(executor);
}

TEST_CASE("data that cannot be received fails that worker only") {
    const auto executor = any_executor();
    const auto session = start(executor, {"refuse", "answer"});
    finish(*session);
    const auto report = session->report();
    CHECK(report.workers[0].how.kind == failed);
    CHECK(report.workers[0].how.message.find("no such data") != std::string::npos);
    CHECK_FALSE(report.workers[0].run);
    CHECK(report.workers[1].how.kind == returned);
    check_usable(executor);
}

TEST_CASE("an interrupt ends running code and leaves the workers usable") {
    const auto executor = any_executor();
    const auto session = start(executor, {"spin", "spin"});
    wait_until(*session, runs);
    session->stop(run::stop_reason::interrupt);
    finish(*session);
    for (const auto& worker : session->report().workers) {
        CHECK(worker.how.kind == interrupted);
        CHECK_FALSE(worker.how.abandoned);
    }
    check_usable(executor);
}

TEST_CASE("a stop while the workers start leaves none running and the next ones usable") {
    const auto executor = any_executor();
    for (int round = 0; round < 8; ++round) {
        run::plan fresh;
        fresh.fresh = true;
        const auto session = start(executor, {"spin", "spin", "spin", "spin"}, fresh);
        if (round > 0) // else at once
            wait_until(*session, [&](const auto& worker) { return worker.index % round > 0 || worker.startup; });
        session->stop(run::stop_reason::interrupt);
        finish(*session);
        for (const auto& worker : session->report().workers)
            CHECK(worker.how.kind == interrupted);
    }
    check_usable(executor);
}

TEST_CASE("a time limit ends running code and is told apart from an interrupt") {
    const auto executor = any_executor();
    run::plan limited;
    limited.timeout = std::chrono::milliseconds{300};
    const auto session = start(executor, {"spin", "spin"}, limited);
    finish(*session);
    const auto report = session->report();
    CHECK(report.workers[0].how.kind == timed_out);
    CHECK(report.workers[1].how.kind == timed_out);
    CHECK(*report.wall >= *limited.timeout);
    limited.timeout = patience;
    const auto in_time = start(executor, {"answer"}, limited);
    finish(*in_time);
    CHECK(in_time->report().workers[0].how.kind == returned);
    check_usable(executor);
}

TEST_CASE("a worker that does not stop is ended or abandoned, and replaced") {
    const auto executor = any_executor();
    const auto session = start(executor, {"answer", "stubborn"});
    wait_until(*session,
               [](const auto& worker) { return worker.index == 0 ? worker.how.kind == returned : runs(worker); });
    wait_for_output(*session);
    session->stop(run::stop_reason::interrupt);
    finish(*session);
    const auto report = session->report();
    CHECK(report.workers[0].how.kind == returned);
    CHECK(report.workers[1].how.kind == interrupted);
    CHECK(report.workers[1].how.abandoned == !executor.can_terminate);
    check_usable(executor);
}

TEST_CASE("a stop before the run is over for one leaves finished results alone") {
    const auto executor = any_executor();
    const auto session = start(executor, {"answer"});
    finish(*session);
    session->stop(run::stop_reason::interrupt);
    CHECK(session->report().workers[0].how.kind == returned);
}

TEST_CASE("every line of output arrives, in order per worker and stream") {
    const auto executor = any_executor();
    const auto session = start(executor, {"chatter", "chatter"});
    const auto output = finish(*session);
    for (int worker = 0; worker < 2; ++worker) {
        std::string out;
        std::string errors;
        for (const auto& chunk : output)
            if (chunk.worker == worker)
                (chunk.from == run::stream::standard_output ? out : errors) += chunk.text;
        std::istringstream lines(out);
        std::string line;
        int count = 0;
        bool in_order = true;
        for (; std::getline(lines, line); ++count)
            in_order = in_order && line == "line " + std::to_string(count);
        CHECK(count == 20000);
        CHECK(in_order);
        CHECK(errors == "done\n");
    }
}

TEST_CASE("samples are in order, lie within the run, and say what is unknown") {
    const auto executor = any_executor();
    const auto session = start(executor, {"work", "work"});
    finish(*session);
    const auto report = session->report();
    REQUIRE(report.sampling);
    CHECK(report.sampling->ticks > 0);
    for (const auto& worker : report.workers) {
        REQUIRE_FALSE(worker.spans.empty());
        auto last = worker.transfer_in->start;
        for (const auto& span : worker.spans) {
            CHECK(span.start >= last);
            CHECK(span.start < span.end);
            last = span.end;
        }
        CHECK(last <= *report.wall);
    }
}

TEST_CASE("a run without sampling has no samples") {
    const auto executor = any_executor();
    run::plan plain;
    plain.sample_period = {};
    const auto session = start(executor, {"work"}, plain);
    finish(*session);
    const auto report = session->report();
    CHECK_FALSE(report.sampling);
    CHECK(report.workers[0].spans.empty());
}

TEST_CASE("a run may be forgotten while it goes on") {
    const auto executor = any_executor();
    start(executor, {"work", "chatter"});
    check_usable(executor);
}

TEST_CASE("two runs side by side do not mix") {
    const auto executor = any_executor();
    const auto first = start(executor, {"work", "raise"});
    const auto second = start(executor, {"answer", "work"});
    finish(*first);
    finish(*second);
    CHECK(first->report().workers[0].how.kind == returned);
    CHECK(first->report().workers[1].how.kind == raised);
    CHECK(second->report().workers[0].result == "42");
    CHECK(second->report().workers[1].how.kind == returned);
}
