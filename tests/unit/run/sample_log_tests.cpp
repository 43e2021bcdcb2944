// SPDX-License-Identifier: BSD-3-Clause
#include <memory>
#include <random>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>

#include <xcores/os/shared_memory.hpp>
#include <xcores/run/sample_log.hpp>

using namespace xcores;
using namespace std::chrono_literals;
using model::gil_state;
using model::nanoseconds;
using model::thread_state;

TEST_CASE("equal samples join into one span") {
    const auto log = std::make_unique<run::sample_log>();
    log->clear();
    log->append(0ns, 1ms, thread_state::running, gil_state::held, 1);
    log->append(1ms, 2ms, thread_state::running, gil_state::held, 1);
    log->append(2ms, 3ms, thread_state::running, gil_state::held, 0);
    const auto spans = log->spans(0ns);
    REQUIRE(spans.size() == 2);
    CHECK(spans[0] == model::span{0ns, 2ms, thread_state::running, gil_state::held, 1});
    CHECK(spans[1] == model::span{2ms, 3ms, thread_state::running, gil_state::held, 0});
}

TEST_CASE("spans are relative to the origin, the newest only if asked") {
    const auto log = std::make_unique<run::sample_log>();
    log->clear();
    for (int i = 0; i < 10; ++i)
        log->append(i * 1ms, (i + 1) * 1ms, i % 2 == 0 ? thread_state::running : thread_state::blocked, gil_state::held,
                    0);
    const auto spans = log->spans(5ms, 2);
    REQUIRE(spans.size() == 2);
    CHECK(spans[0].start == 3ms);
    CHECK(spans[1].end == 5ms);
}

TEST_CASE("what a process has written can be read when it was killed while it wrote") {
    for (int round = 0; round < 50; ++round) {
        const auto memory = os::shared_memory::create(sizeof(run::sample_log));
        auto& log = *static_cast<run::sample_log*>(memory.data());
        log.clear();
        int ends[2];
        REQUIRE(::pipe(ends) == 0);
        const auto child = ::fork();
        if (child == 0) {
            for (auto time = 0ms; time < 20s; time += 1ms) { // the log does not fill up
                log.append(time, time + 1ms, time % 2ms == 0ms ? thread_state::running : thread_state::blocked,
                           gil_state::held, 0);
                if (time == 20ms)
                    static_cast<void>(::write(ends[1], "x", 1));
            }
            ::pause();
        }
        char ready = 0;
        REQUIRE(::read(ends[0], &ready, 1) == 1);
        ::kill(child, SIGKILL);
        ::waitpid(child, nullptr, 0);
        ::close(ends[0]);
        ::close(ends[1]);
        const auto spans = log.spans(0ns);
        CHECK(spans.size() >= 10);
        for (std::size_t i = 1; i < spans.size(); ++i)
            REQUIRE((spans[i].start >= spans[i - 1].end && spans[i].end >= spans[i].start));
    }
}

TEST_CASE("a full log keeps the whole time at half the rate, with the same shares") {
    const auto log = std::make_unique<run::sample_log>();
    log->clear();
    constexpr int ticks = 200000;
    for (int i = 0; i < ticks; ++i) // three in ten running, never the same twice in a row for long
        log->append(i * 1ms, (i + 1) * 1ms, i % 10 < 3 ? thread_state::running : thread_state::blocked,
                    gil_state::unknown, i % 2);
    const auto spans = log->spans(0ns);
    CHECK(spans.size() <= run::sample_log::capacity);
    CHECK(spans.front().start == 0ns);
    CHECK(spans.back().end > (ticks - 64) * 1ms);
    nanoseconds running{};
    nanoseconds all{};
    for (std::size_t i = 0; i < spans.size(); ++i) {
        CHECK((i == 0 || spans[i].start >= spans[i - 1].end));
        all += spans[i].end - spans[i].start;
        if (spans[i].state == thread_state::running)
            running += spans[i].end - spans[i].start;
    }
    const auto share = static_cast<double>(running.count()) / static_cast<double>(all.count());
    CHECK(std::abs(share - 0.3) < 0.12);
}

TEST_CASE("a full log keeps the shares of spans of any length") {
    const auto log = std::make_unique<run::sample_log>();
    log->clear();
    std::mt19937 random(1);
    std::uniform_int_distribution<int> length(1, 100);
    nanoseconds time{};
    for (int i = 0; i < 200000; ++i) { // as they are recorded: one in two running, for a fifth of the time
        const auto end = time + (i % 2 == 0 ? 1us : 4us) * length(random);
        log->append(time, end, i % 2 == 0 ? thread_state::running : thread_state::blocked, gil_state::unknown, 0);
        time = end;
    }
    const auto spans = log->spans(0ns);
    CHECK(spans.size() <= run::sample_log::capacity);
    CHECK(spans.back().end > time - 100ms);
    nanoseconds running{};
    for (std::size_t i = 0; i < spans.size(); ++i) {
        CHECK((i == 0 || spans[i].start >= spans[i - 1].end));
        running += spans[i].state == thread_state::running ? spans[i].end - spans[i].start : 0ns;
    }
    CHECK(std::abs(static_cast<double>(running.count()) / static_cast<double>(time.count()) - 0.2) < 0.02);
}
