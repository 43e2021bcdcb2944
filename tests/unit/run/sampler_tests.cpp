// SPDX-License-Identifier: BSD-3-Clause
#include <semaphore>
#include <thread>

#include <catch2/catch_test_macros.hpp>

#include <xcores/os/clock.hpp>
#include <xcores/run/sample_log.hpp>
#include <xcores/run/sampler.hpp>

using namespace xcores;
using namespace std::chrono_literals;
using model::gil_state;
using model::nanoseconds;
using model::thread_state;

TEST_CASE("a sampler that is interrupted between the time and the CPU clock reads both again") {
    struct interrupting_probe final : run::probe { // of a thread that runs all the time
        std::counting_semaphore<> looks{0};
        int reads = 0;
        reading read() noexcept override {
            if (++reads % 2 == 1)
                std::this_thread::sleep_for(1ms);
            else
                looks.release();
            return {os::now(), 0, reads % 4 < 2 ? gil_state::held : gil_state::not_held};
        }
        thread_state situation() noexcept override { return thread_state::waiting_core; }
    };
    interrupting_probe probe;
    const auto log = run::sample_log::create();
    run::sampler sampler(1ms);
    sampler.add(probe, *log);
    for (int look = 0; look < 40; ++look)
        probe.looks.acquire();
    sampler.remove(probe);
    nanoseconds all{};
    nanoseconds running{};
    for (const auto& one : log->spans(0ns)) {
        all += one.end - one.start;
        running += one.state == thread_state::running ? one.end - one.start : 0ns;
    }
    CHECK(running > all * 98 / 100);
}

TEST_CASE("the sampling rate is the one asked for, or a fraction that stays within the budget") {
    constexpr int one_percent = 100;
    run::pace pace(1ms, one_percent);
    CHECK(pace.period() == 1ms);
    pace.adapt(10us);
    CHECK(pace.period() == 1ms);
    pace.adapt(25us);
    CHECK(pace.period() == 3ms);
    pace.adapt(19us); // 2 ms would do, but only just
    CHECK(pace.period() == 3ms);
    pace.adapt(15us);
    CHECK(pace.period() == 2ms);
    pace.adapt(1us);
    CHECK(pace.period() == 1ms);
    run::pace shared_by_eight(1ms, 8 * one_percent);
    shared_by_eight.adapt(5us);
    CHECK(shared_by_eight.period() == 4ms);
    shared_by_eight.adapt(100us);
    CHECK(shared_by_eight.period() == 80ms);
}

TEST_CASE("the cost of sampling is expected in proportion for fewer threads") {
    run::sampling_cost cost;
    CHECK(cost.expected(64) == 0ns);
    cost.note(640us, 64);
    CHECK(cost.expected(2) == 20us);
    CHECK(cost.expected(0) == 10us);
    cost.note(30us, 2);
    CHECK(cost.expected(64) == 30us); // most of it may have been the timer's
}

TEST_CASE("a sampler without workers goes on when one is added") {
    struct counting_probe final : run::probe {
        std::counting_semaphore<> looks{0};
        reading read() noexcept override {
            looks.release();
            return {0ns, 0, gil_state::not_held};
        }
        thread_state situation() noexcept override { return thread_state::blocked; }
    };
    run::sampler sampler(100us);
    for (int i = 0; i < 3; ++i) {
        counting_probe probe;
        const auto log = run::sample_log::create();
        sampler.add(probe, *log);
        for (int look = 0; look < 5; ++look)
            probe.looks.acquire();
        sampler.remove(probe);
    }
    CHECK(sampler.record().ticks > 0);
}
