// SPDX-License-Identifier: BSD-3-Clause
// A lock as CPython's GIL is one, in this program, whose own calls are replaced for that.
#include <algorithm>
#include <atomic>
#include <memory>
#include <system_error>
#include <thread>
#include <vector>

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>

#include <xcores/os/lock_events.hpp>

using namespace xcores::os;
using namespace std::chrono_literals;
using event = lock_events::event;
using record = lock_events::record;

namespace {

struct lock {
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_t switching = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
    int taken = 0;
    std::atomic<int> waiting = 0;

    lock_parts parts() const { return {&mutex, &switching, &condition, &taken}; }
    bool is_taken() { return std::atomic_ref(taken).load(std::memory_order_relaxed) != 0; }

    void take() {
        pthread_mutex_lock(&mutex);
        ++waiting;
        while (is_taken()) {
            timespec until{};
            clock_gettime(CLOCK_REALTIME, &until);
            until.tv_sec += 1;
            pthread_cond_timedwait(&condition, &mutex, &until);
        }
        --waiting;
        pthread_mutex_lock(&switching); // as take_gil() does, for the thread that waits in give_when_asked()
        std::atomic_ref(taken).store(1, std::memory_order_relaxed);
        pthread_mutex_unlock(&switching);
        pthread_mutex_unlock(&mutex);
    }
    void give() {
        pthread_mutex_lock(&mutex);
        std::atomic_ref(taken).store(0, std::memory_order_relaxed);
        pthread_cond_signal(&condition);
        pthread_mutex_unlock(&mutex);
    }
    void give_when_asked() {
        give();
        pthread_mutex_lock(&switching);
        pthread_mutex_unlock(&switching);
    }
};

const void* here() {
    static const int inside = 0;
    return &inside;
}

std::vector<record> drained(lock_events& from) {
    std::vector<record> all;
    for (; const auto next = from.front(); from.pop())
        all.push_back(*next);
    return all;
}

std::vector<event> kinds(const std::vector<record>& of) {
    std::vector<event> all;
    for (const auto& each : of)
        all.push_back(each.kind);
    return all;
}

} // namespace

TEST_CASE("each taking and giving is recorded with its time, and since when the lock was wanted") {
    lock gil;
    lock_events events(::gettid(), gil.parts(), here());
    const auto before = now();
    gil.take();
    const auto between = now();
    gil.give();
    const auto after = now();
    const auto all = drained(events);
    REQUIRE(kinds(all) == std::vector{event::takes, event::gives});
    CHECK(all[0].wanted >= before);
    CHECK(all[0].wanted <= all[0].time);
    CHECK(all[0].time <= between);
    CHECK(all[1].time >= between);
    CHECK(all[1].time <= after);
}

TEST_CASE("a thread that waits says so when it begins to, once") {
    lock gil;
    gil.take();
    std::atomic<pid_t> id = 0;
    std::atomic<bool> go = false;
    std::thread waiter([&] {
        id = ::gettid();
        while (!go)
            std::this_thread::yield();
        gil.take();
        gil.give();
    });
    while (id == 0)
        std::this_thread::yield();
    lock_events events(id, gil.parts(), here());
    go = true;
    while (gil.waiting == 0)
        std::this_thread::yield();
    const auto seen = now();
    gil.give();
    waiter.join();
    const auto all = drained(events);
    REQUIRE(kinds(all) == std::vector{event::wants, event::takes, event::gives});
    CHECK(all[0].time <= seen);
    CHECK(all[1].time >= seen);
    CHECK(all[1].wanted == all[1].time); // it was said before
}

TEST_CASE("a thread that was asked to give the lock away wants it, until another has had it") {
    lock gil;
    lock_events events(::gettid(), gil.parts(), here());
    gil.take();
    gil.give_when_asked();
    gil.take();
    CHECK(kinds(drained(events)) == std::vector{event::takes, event::gives, event::wants, event::rests, event::takes});
}

TEST_CASE("of other threads, and of other locks, nothing is recorded") {
    lock gil, other;
    lock_events events(::gettid(), gil.parts(), here());
    other.take();
    other.give();
    std::thread([&] {
        gil.take();
        gil.give();
    }).join();
    CHECK(drained(events).empty());
}

TEST_CASE("several threads are recorded at once, each its own events, and never two holders") {
    constexpr std::size_t threads = 8;
    constexpr int rounds = 200;
    lock gil;
    std::vector<std::thread> all;
    std::vector<std::unique_ptr<lock_events>> events(threads);
    std::atomic<std::size_t> ready = 0;
    std::atomic<bool> go = false;
    for (std::size_t i = 0; i < threads; ++i)
        all.emplace_back([&, i] {
            events[i] = std::make_unique<lock_events>(::gettid(), gil.parts(), here());
            ++ready;
            while (!go)
                std::this_thread::yield();
            for (int n = 0; n < rounds; ++n) {
                gil.take();
                gil.give();
            }
        });
    while (ready < threads)
        std::this_thread::yield();
    go = true;
    for (auto& each : all)
        each.join();
    struct hold {
        nanoseconds start, end;
    };
    std::vector<hold> holds;
    for (auto& each : events) {
        auto own = drained(*each);
        std::erase_if(own, [](const record& one) { return one.kind == event::wants; });
        REQUIRE(own.size() == 2 * rounds);
        for (std::size_t i = 0; i < own.size(); i += 2) {
            REQUIRE(own[i].kind == event::takes);
            REQUIRE(own[i + 1].kind == event::gives);
            holds.push_back({own[i].time, own[i + 1].time});
        }
    }
    std::ranges::sort(holds, {}, &hold::start);
    for (std::size_t i = 1; i < holds.size(); ++i)
        REQUIRE(holds[i - 1].end <= holds[i].start);
}

TEST_CASE("of a lock, what does not fit into the buffer is not recorded, and that is known") {
    lock gil;
    lock_events events(::gettid(), gil.parts(), here());
    for (std::size_t i = 0; i < lock_events::capacity; ++i) {
        CHECK_FALSE(events.is_full());
        i % 2 == 0 ? gil.take() : gil.give();
    }
    gil.take();
    CHECK(events.is_full());
    CHECK(drained(events).size() == lock_events::capacity);
    gil.give();
    CHECK(drained(events).empty());
    events.resume();
    CHECK_FALSE(events.is_full());
    gil.take();
    CHECK(kinds(drained(events)) == std::vector{event::takes});
}

TEST_CASE("in a pause no lock is recorded") {
    lock gil;
    lock_events events(::gettid(), gil.parts(), here());
    gil.take();
    events.pause();
    gil.give();
    gil.take();
    CHECK(drained(events).size() == 1);
    events.resume();
    gil.give();
    CHECK(kinds(drained(events)) == std::vector{event::gives});
}

TEST_CASE("threads come and go while they are recorded, and buffers are used again") {
    lock gil;
    for (std::size_t i = 0; i < 2 * lock_events::most_threads; ++i) {
        std::atomic<pid_t> id = 0;
        std::atomic<bool> done = false;
        std::thread worker([&] {
            id = ::gettid();
            while (!done) {
                gil.take();
                gil.give();
            }
        });
        while (id == 0)
            std::this_thread::yield();
        {
            const lock_events events(id, gil.parts(), here());
            while (!events.front())
                std::this_thread::yield();
        }
        done = true;
        worker.join();
    }
}

TEST_CASE("a thread is recorded once at a time, and only so many are") {
    lock gil;
    const lock_events events(::gettid(), gil.parts(), here());
    CHECK_THROWS_AS(lock_events(::gettid(), gil.parts(), here()), std::system_error);
    std::vector<std::unique_ptr<lock_events>> others;
    for (std::size_t i = 1; i < lock_events::most_threads; ++i)
        others.push_back(std::make_unique<lock_events>(-static_cast<std::int64_t>(i), gil.parts(), here()));
    CHECK_THROWS_AS(lock_events(-1'000, gil.parts(), here()), std::system_error);
}

TEST_CASE("a forked child has no lock events of it and harms nothing") {
    lock gil;
    auto events = std::make_unique<lock_events>(::gettid(), gil.parts(), here());
    gil.take();
    const pid_t child = ::fork();
    if (child == 0) {
        gil.give();
        const bool nothing = drained(*events).empty();
        events.reset();
        ::_exit(nothing ? 0 : 1);
    }
    int status = -1;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
    CHECK(kinds(drained(*events)) == std::vector{event::takes});
}

TEST_CASE("code that lies in no library is refused") {
    CHECK(lock_events::refusal(nullptr));
    CHECK_FALSE(lock_events::refusal(here()));
}
