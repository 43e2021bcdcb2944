// SPDX-License-Identifier: BSD-3-Clause
// What only the real workers do to a queue of jobs.
#include <csignal>

#include <catch2/catch_test_macros.hpp>

#include "../support/open_queue.hpp"

using namespace xcores;
using namespace xcores::test;

TEST_CASE("a process that dies fails its own call only and is replaced") {
    const auto executor = make_executor("procs");
    const open_queue queue(executor);
    std::vector<std::shared_ptr<run::job>> jobs{queue.put("die", {"x"})};
    for (const auto& text : numbers(20))
        jobs.push_back(queue.put("echo", {text}));
    for (std::size_t i = 1; i < jobs.size(); ++i)
        CHECK(queue.results(*jobs[i]) == std::vector{std::to_string(i - 1)});
    REQUIRE(jobs[0]->wait(0, patience) == os::futex::wake::woken);
    CHECK(jobs[0]->find(0)->how.kind == model::outcome_kind::exited);
    CHECK(jobs[0]->find(0)->how.code == 3);
}

TEST_CASE("a process that dies between two calls costs none of them") {
    const auto executor = make_executor("procs");
    const open_queue queue(executor);
    CHECK(queue.results(*queue.put("echo", {"before"})) == std::vector<std::string>{"before"});
    const auto process = static_cast<pid_t>(queue->report().workers.at(0).process_id);
    REQUIRE(process > 1); // 0 would be all of us
    REQUIRE(::kill(process, SIGKILL) == 0);
    CHECK(queue.results(*queue.put("echo", {"after"})) == std::vector<std::string>{"after"});
}
