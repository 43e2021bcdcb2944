// SPDX-License-Identifier: BSD-3-Clause
// The process that worker processes are forked from: what it holds, and what happens when it must not or cannot go on.
#include <csignal>
#include <set>

#include <catch2/catch_test_macros.hpp>

#include "../support/executor_under_test.hpp"
#include "../support/open_queue.hpp"

using namespace xcores;
using namespace xcores::test;
using enum model::outcome_kind;

namespace {

std::vector<std::string> results_of(const executor_under_test& executor, const std::vector<std::string>& programs) {
    const auto session = start(executor, programs);
    finish(*session);
    std::vector<std::string> results;
    for (const auto& worker : session->report().workers)
        results.push_back(worker.how.kind == returned ? worker.result : worker.how.message);
    return results;
}

} // namespace

TEST_CASE("workers of all runs are forked from one process, which is not this one") {
    const auto executor = make_executor("forkserver");
    const auto first = results_of(executor, {"parent", "parent"});
    const auto second = results_of(executor, {"parent", "parent", "parent"});
    CHECK(std::set(first.begin(), first.end()) == std::set(second.begin(), second.end()));
    CHECK(first[0] == first[1]);
    CHECK(first[0] != std::to_string(::getpid()));
}

TEST_CASE("a process in which an input has started threads is not forked, and its workers go on") {
    const auto executor = make_executor("forkserver");
    const auto before = results_of(executor, {"parent"});
    const std::string threaded = "start a thread while preparing";
    const auto parents = results_of(executor, {threaded, threaded, threaded});
    CHECK(parents[0] == before[0]); // the warm one
    CHECK(parents[1] != before[0]);
    CHECK(parents[2] == parents[1]);
    CHECK(results_of(executor, {"answer", "answer", "answer", "answer"}) == std::vector<std::string>(4, "42"));
}

TEST_CASE("a process that an input ends is replaced, and its workers go on") {
    const auto executor = make_executor("forkserver");
    const auto before = results_of(executor, {"answer"});
    const auto session = start(executor, {"answer", "exit while preparing"});
    finish(*session);
    CHECK(session->report().workers[0].how.kind == returned);
    CHECK(session->report().workers[1].how.kind == failed);
    CHECK(session->report().workers[1].how.message.ends_with("exit code 9"));
    CHECK(results_of(executor, {"answer", "answer"}) == std::vector<std::string>(2, "42"));
}

TEST_CASE("when the process that forks is killed, its workers go on and the next ones have another") {
    const auto executor = make_executor("forkserver");
    const auto before = results_of(executor, {"parent"});
    REQUIRE(::kill(std::stoi(before[0]), SIGKILL) == 0);
    CHECK(results_of(executor, {"answer"})[0] == "42");
    const auto after = results_of(executor, {"answer", "parent"});
    CHECK(after[0] == "42");
    CHECK(after[1] != before[0]);
    CHECK(std::stoi(after[1]) > 0);
}

TEST_CASE("when the process that forks is killed, jobs get workers from another") {
    const auto executor = make_executor("forkserver");
    const auto before = results_of(executor, {"parent"});
    REQUIRE(::kill(std::stoi(before[0]), SIGKILL) == 0);
    executor.pool->retire_idle();
    const open_queue queue(executor);
    CHECK(queue.results(*queue.put("echo", {"a", "b"})) == std::vector<std::string>{"a", "b"});
}

TEST_CASE("forked workers share pages with each other") {
    const auto executor = make_executor("forkserver");
    const auto session = start(executor, {"answer", "answer", "answer"});
    finish(*session);
    for (const auto& worker : session->report().workers) {
        REQUIRE(worker.proportional_bytes);
        REQUIRE(worker.unique_bytes);
        CHECK(*worker.unique_bytes <= *worker.proportional_bytes);
        CHECK(*worker.proportional_bytes < *worker.memory_bytes * 3 / 4);
    }
}
