// SPDX-License-Identifier: BSD-3-Clause
// The job queue with every kind of worker, the fake ones included.
#include <filesystem>
#include <fstream>
#include <thread>

#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators_range.hpp>

#include "../support/open_queue.hpp"

using namespace xcores;
using namespace xcores::test;
using enum model::outcome_kind;
using run::job;

namespace {

executor_under_test any_executor() {
    const auto name = GENERATE(from_range(executor_names()));
    CAPTURE(name);
    return make_executor(name);
}

/// A named pipe on which a job waits until the test writes.
class latch {
public:
    latch()
        : path_(std::filesystem::temp_directory_path() / ("xcores-" + std::to_string(::getpid()) + "-" + number())) {
        REQUIRE(::mkfifo(path_.c_str(), 0600) == 0);
    }
    ~latch() { std::filesystem::remove(path_); }
    std::string path() const { return path_; }
    void open(const std::string& text) const { std::ofstream(path_) << text; }

private:
    static std::string number() {
        static int count = 0;
        return std::to_string(++count);
    }
    std::filesystem::path path_;
};

/// Two jobs that run until the test lets them go: all workers of a queue have something to do.
class two_busy_workers {
public:
    explicit two_busy_workers(const open_queue& queue)
        : one(queue.put("read", {first_.path()})), two(queue.put("read", {second_.path()})) {
        for (const auto& each : {one, two})
            while (each->now() != job::state::running)
                std::this_thread::yield();
    }
    void let_go() const {
        first_.open("1");
        second_.open("2");
    }

private:
    const latch first_;
    const latch second_;

public:
    const std::shared_ptr<job> one;
    const std::shared_ptr<job> two;
};

} // namespace

TEST_CASE("a job gets the answer to its own call") {
    const auto executor = any_executor();
    const open_queue queue(executor);
    std::vector<std::shared_ptr<job>> jobs;
    for (const auto& text : numbers(100))
        jobs.push_back(queue.put("echo", {text}));
    for (std::size_t i = 0; i < jobs.size(); ++i)
        CHECK(queue.results(*jobs[i]) == std::vector{std::to_string(i)});
}

TEST_CASE("many items of one job are all answered in their order") {
    const auto executor = any_executor();
    const open_queue queue(executor);
    const auto all = queue.put("echo", numbers(3000));
    CHECK(queue.results(*all) == numbers(3000));
    CHECK(all->now() == job::state::ended);
}

TEST_CASE("the items of one job run side by side, also on workers that waited") {
    const auto executor = any_executor();
    const open_queue queue(executor);
    for (int round = 0; round < 2; ++round) {
        const latch first;
        const latch second;
        const auto both = queue.put("read", {first.path(), second.path()});
        second.open("2"); // would wait for ever, were nobody reading there
        first.open("1");
        CHECK(queue.results(*both) == std::vector<std::string>{"1", "2"});
    }
}

TEST_CASE("an exception keeps the results before it") {
    const auto executor = any_executor();
    const open_queue queue(executor);
    const auto one = queue.put("raise", {"a", "b", "bad", "c"});
    CHECK(queue.results(*one) == std::vector<std::string>{"a", "b"});
    REQUIRE(one->wait(2, patience) == os::futex::wake::woken);
    const auto failed_one = one->find(2);
    REQUIRE(failed_one);
    CHECK(failed_one->how.kind == raised);
    CHECK(failed_one->how.type == "ValueError");
    CHECK(failed_one->how.message == "bad");
    CHECK(queue.results(*queue.put("echo", {"next"})) == std::vector<std::string>{"next"});
}

TEST_CASE("a job that nobody has begun can be cancelled, one that runs cannot") {
    const auto executor = any_executor();
    const open_queue queue(executor);
    const two_busy_workers busy(queue);
    const auto waiting = queue.put("echo", {"never"});
    CHECK(waiting->cancel());
    CHECK(waiting->now() == job::state::cancelled);
    CHECK_FALSE(busy.one->cancel());
    busy.let_go();
    CHECK(queue.results(*busy.one) == std::vector<std::string>{"1"});
    CHECK(queue.results(*busy.two) == std::vector<std::string>{"2"});
    CHECK(waiting->cancel()); // still
}

TEST_CASE("waiting for a job ends when the time is over") {
    const auto executor = any_executor();
    const open_queue queue(executor);
    const latch stop;
    const auto one = queue.put("read", {stop.path()});
    CHECK(one->wait(0, std::chrono::milliseconds{1}) == os::futex::wake::timed_out);
    stop.open("now");
    CHECK(queue.results(*one) == std::vector<std::string>{"now"});
}

TEST_CASE("a closed queue serves what it has and takes no more") {
    const auto executor = any_executor();
    const open_queue queue(executor);
    std::vector<std::shared_ptr<job>> jobs;
    for (const auto& text : numbers(20))
        jobs.push_back(queue.put("echo", {text}));
    queue->close();
    queue.leave();
    for (const auto& one : jobs)
        CHECK(one->now() == job::state::ended);
    CHECK_THROWS_AS(queue.put("echo", {"late"}), run::queue_refused);
}

TEST_CASE("cancelling all takes back what nobody has begun") {
    const auto executor = any_executor();
    const open_queue queue(executor);
    const two_busy_workers busy(queue);
    std::vector<std::shared_ptr<job>> jobs;
    for (const auto& text : numbers(5))
        jobs.push_back(queue.put("echo", {text}));
    queue->close();
    queue->cancel_all();
    for (const auto& other : jobs)
        CHECK(other->now() == job::state::cancelled);
    busy.let_go();
    queue.leave();
    CHECK(busy.one->now() == job::state::ended);
    CHECK(busy.two->now() == job::state::ended);
}

TEST_CASE("an initial call that fails breaks the queue") {
    const auto executor = any_executor();
    run::queue_plan plan;
    plan.initial = job_function(executor, "raise");
    plan.initial_input = job_input(executor, "bad");
    const open_queue queue(executor, std::move(plan));
    const auto one = queue.put("echo", {"never"});
    REQUIRE(one->wait(0, patience) == os::futex::wake::woken);
    REQUIRE(one->find(0));
    CHECK(one->find(0)->how.type.starts_with(run::broken_type));
    CHECK(queue->broken().find("ValueError: bad") != std::string::npos);
    CHECK_THROWS_AS(queue.put("echo", {"late"}), run::queue_refused);
}

TEST_CASE("an initial call that succeeds goes before the first job") {
    const auto executor = any_executor();
    const latch start;
    run::queue_plan plan;
    plan.initial = job_function(executor, "read");
    plan.initial_input = job_input(executor, start.path());
    const open_queue queue(executor, std::move(plan));
    const auto one = queue.put("echo", {"after"});
    CHECK(one->wait(0, std::chrono::milliseconds{1}) == os::futex::wake::timed_out);
    start.open("go");
    CHECK(queue.results(*one) == std::vector<std::string>{"after"});
}

TEST_CASE("who watches a job is told once, however it ends") {
    const auto executor = any_executor();
    const open_queue queue(executor);
    std::atomic<int> told = 0;
    const auto count = [&told] { ++told; };
    const auto good = queue.put("echo", {"x"});
    good->when_over(count);
    const auto bad = queue.put("raise", {"bad"});
    bad->when_over(count);
    queue->close();
    queue.leave();
    CHECK(told == 2);
    good->when_over(count); // over already: at once
    CHECK(told == 3);
}

TEST_CASE("jobs may come from many threads at once") {
    const auto executor = any_executor();
    const open_queue queue(executor);
    constexpr int threads = 4;
    std::vector<int> good(threads, 0);
    {
        std::vector<std::jthread> putting;
        for (std::size_t i = 0; i < threads; ++i)
            putting.emplace_back([&, i] {
                for (const auto& text : numbers(100)) {
                    const auto one = queue.put("echo", {text});
                    if (one->wait(0, patience) == os::futex::wake::woken &&
                        results_of(executor, *one->find(0)) == std::vector{text})
                        ++good[i];
                }
            });
    }
    CHECK(good == std::vector<int>(threads, 100));
}

TEST_CASE("workers are given back for the next queue") {
    const auto executor = any_executor();
    std::vector<std::int64_t> seen;
    for (int round = 0; round < 2; ++round) {
        const open_queue queue(executor);
        queue.results(*queue.put("echo", {"x"}));
        queue->close();
        queue.leave();
        const auto report = queue->report();
        REQUIRE(report.workers.size() == 1);
        CHECK(report.workers[0].run);
        CHECK(report.workers[0].startup.has_value() == (round == 0));
        seen.push_back(report.workers[0].native_thread_id);
    }
    CHECK(seen[0] == seen[1]);
}
