// SPDX-License-Identifier: BSD-3-Clause
// How workers can end besides returning and raising, and what goes in and out of them.
#include <csignal>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "../support/executor_under_test.hpp"

using namespace xcores;
using namespace xcores::test;
using enum model::outcome_kind;

TEST_CASE("a process that exits hard says its code, and the other keeps its result") {
    const auto executor = make_executor(GENERATE("procs", "forkserver"));
    const auto session = start(executor, {"hard exit", "answer"});
    finish(*session);
    const auto report = session->report();
    CHECK(report.workers[0].how.kind == exited);
    CHECK(report.workers[0].how.code == 3);
    CHECK(report.workers[1].result == "42");
    const auto next = start(executor, {"answer", "answer"});
    finish(*next);
    CHECK(next->report().workers[1].how.kind == returned);
}

TEST_CASE("a process that crashes says its signal and where, and the other keeps its result") {
    const auto executor = make_executor(GENERATE("procs", "forkserver"));
    const auto session = start(executor, {"answer", "segfault"});
    const auto output = finish(*session);
    const auto report = session->report();
    CHECK(report.workers[0].result == "42");
    CHECK(report.workers[1].how.kind == crashed);
    CHECK(report.workers[1].how.code == SIGSEGV);
    CHECK(report.workers[1].how.message == "SIGSEGV (Segmentation fault)");
    std::string errors;
    for (const auto& chunk : output)
        if (chunk.worker == 1 && chunk.from == run::stream::standard_error)
            errors += chunk.text;
    CHECK(errors.find("segfault") != std::string::npos); // the function, from faulthandler
}

TEST_CASE("SystemExit ends the cell in its worker, not the worker") {
    const auto kind = GENERATE("threads", "subinterp", "procs", "forkserver");
    CAPTURE(kind);
    const auto executor = make_executor(kind);
    const auto session = start(executor, {"soft exit", "answer"});
    finish(*session);
    CHECK(session->report().workers[0].how.kind == exited);
    CHECK(session->report().workers[0].how.code == 5);
    const auto next = start(executor, {"answer", "answer"});
    finish(*next);
    CHECK_FALSE(next->report().workers[0].startup);
    CHECK_FALSE(next->report().workers[1].startup);
}

TEST_CASE("buffers arrive whole in every kind of worker") {
    const auto kind = GENERATE("threads", "subinterp", "procs", "forkserver");
    CAPTURE(kind);
    const auto executor = make_executor(kind);
    const auto bytes = std::make_shared<std::vector<std::byte>>(1 << 20, std::byte{'x'});
    const run::buffer large{bytes->data(), bytes->size(), bytes};
    run::plan plan;
    plan.kind = executor.kind;
    plan.inputs.push_back(std::make_shared<const run::payload>(run::payload{"buffers", {large, large}}));
    const auto session = run::session::start(plan, executor.pool, {});
    finish(*session);
    const auto report = session->report();
    CHECK(report.workers[0].how.message.empty());
    CHECK(report.workers[0].result == "[1048576, 1048576]");
    CHECK(session->output(0)->data == "xxxxxxxx");
}
