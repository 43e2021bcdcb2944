// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <catch2/catch_test_macros.hpp>

#include <xcores/run/job_queue.hpp>

#include "executor_under_test.hpp"

namespace xcores::test {

/// A queue that is closed and left when the test ends.
class open_queue {
public:
    explicit open_queue(const executor_under_test& executor, run::queue_plan plan = {}) : executor_(executor) {
        plan.kind = executor.kind;
        plan.workers = 2;
        queue_ = run::job_queue::create(std::move(plan), executor.pool, {});
    }
    ~open_queue() {
        queue_->close();
        leave();
    }
    run::job_queue* operator->() const { return queue_.get(); }
    void leave() const { REQUIRE(queue_->wait(patience) == os::futex::wake::woken); }

    std::shared_ptr<run::job> put(const std::string& function, const std::vector<std::string>& arguments) const {
        std::vector<run::payload> items;
        for (const auto& one : arguments)
            items.push_back(job_input(executor_, one));
        auto made = std::make_shared<run::job>(job_function(executor_, function), std::move(items));
        queue_->put(made);
        return made;
    }

    /// All results in the order of the items, up to the first failure.
    std::vector<std::string> results(run::job& of) const {
        std::vector<std::string> all;
        for (std::size_t first = 0;; first = all.size()) {
            REQUIRE(of.wait(first, patience) == os::futex::wake::woken);
            const auto given = of.find(first);
            if (!given || given->done == 0)
                return all;
            for (auto& one : results_of(executor_, *given))
                all.push_back(std::move(one));
        }
    }

private:
    const executor_under_test& executor_;
    std::shared_ptr<run::job_queue> queue_;
};

inline std::vector<std::string> numbers(int count) {
    std::vector<std::string> texts;
    for (int i = 0; i < count; ++i)
        texts.push_back(std::to_string(i));
    return texts;
}

} // namespace xcores::test
