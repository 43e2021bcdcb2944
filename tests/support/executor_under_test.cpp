// SPDX-License-Identifier: BSD-3-Clause
#include "executor_under_test.hpp"

#include <algorithm>
#include <thread>

#include <catch2/catch_test_macros.hpp>

#include <xcores/os/clock.hpp>

namespace xcores::test {

std::shared_ptr<const run::payload> program(const std::string& name) {
    return std::make_shared<const run::payload>(run::payload{name, {}});
}

std::shared_ptr<run::session> start(const executor_under_test& executor, const std::vector<std::string>& programs,
                                    run::plan plan) {
    plan.kind = executor.kind;
    for (const auto& name : programs)
        plan.inputs.push_back(program(name));
    return run::session::start(std::move(plan), executor.pool, {});
}

std::shared_ptr<run::session> start_on(const executor_under_test& executor, int workers,
                                       std::shared_ptr<run::item_queue> items, run::plan plan) {
    plan.items = std::move(items);
    return start(executor, std::vector<std::string>(static_cast<std::size_t>(workers), "each"), std::move(plan));
}

std::vector<run::output_chunk> finish(run::session& session) {
    std::vector<run::output_chunk> output;
    const auto take = [&] {
        for (auto& one : session.take_output())
            output.push_back(std::move(one));
    };
    const auto until = os::now() + patience;
    while (session.wait(until - os::now()) != run::session::wake::finished) {
        REQUIRE(os::now() < until);
        take();
    }
    take();
    return output;
}

void wait_for_output(run::session& session) {
    REQUIRE(session.wait(patience) == run::session::wake::output);
}

void wait_until(const run::session& session, const std::function<bool(const model::worker_record&)>& wish) {
    const auto until = os::now() + patience;
    while (!std::ranges::all_of(session.report().workers, wish)) {
        REQUIRE(os::now() < until);
        std::this_thread::yield();
    }
}

} // namespace xcores::test
