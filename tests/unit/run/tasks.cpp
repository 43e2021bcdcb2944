// SPDX-License-Identifier: BSD-3-Clause
// Threads and processes known by number only, with known behaviour.
#include <algorithm>
#include <thread>

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>

#include <xcores/os/machine.hpp>
#include <xcores/os/own_memory.hpp>
#include <xcores/os/task_probe.hpp>

#include "../../support/others.hpp"

using namespace xcores;
using namespace xcores::test;
using activity = os::thread_probe::activity;

TEST_CASE("the CPU time of a thread that spins goes on, that of one that waits does not") {
    const other_thread spinning(other_thread::way::spin);
    const other_thread waiting(other_thread::way::wait);
    auto spins = os::task_probe::of_thread(spinning.id());
    auto waits = os::task_probe::of_thread(waiting.id());
    until([&] { return waits.situation().what == activity::in_system_call; });
    const auto spun = spins.cpu_time();
    const auto waited = waits.cpu_time();
    until([&] { return spins.cpu_time() > spun + std::chrono::milliseconds{2}; });
    CHECK(waits.cpu_time() == waited);
    CHECK(spins.situation().what == activity::runnable);
    CHECK(spins.look().state == 'R');
    CHECK(waits.look().state == 'S');
    CHECK(std::ranges::count(os::usable_cores(), spins.look().core) == 1);
    CHECK(spins.queue_wait().has_value());
}

TEST_CASE("a thread that has ended is unknown") {
    std::int64_t id = 0;
    std::thread([&] { id = ::syscall(SYS_gettid); }).join();
    auto gone = os::task_probe::of_thread(id);
    CHECK(gone.cpu_time() < std::chrono::nanoseconds{0});
    CHECK(gone.look().state == '?');
    CHECK(gone.look().core == -1);
    CHECK(gone.situation().what == activity::unknown);
    CHECK(gone.command().empty());
    CHECK_FALSE(gone.queue_wait().has_value());
}

TEST_CASE("all threads of this process are listed, and one more is counted") {
    const os::thread_list threads;
    std::int64_t gone = 0;
    {
        const other_thread first(other_thread::way::wait);
        gone = first.id();
    } // with which a sanitiser may start a thread of its own
    until([&] { return std::ranges::count(threads.read(), gone) == 0; }); // the system needs a moment after the join
    const auto before = threads.count();
    REQUIRE(before.has_value());
    const other_thread one(other_thread::way::wait);
    CHECK(std::ranges::count(threads.read(), one.id()) == 1);
    CHECK(std::ranges::count(threads.read(), ::syscall(SYS_gettid)) == 1);
    CHECK(threads.count() == *before + 1);
}

TEST_CASE("a child process that spins is found, and so is its own child") {
    const child spinning("sh -c 'while :; do :; done'; :");
    std::vector<std::int64_t> all;
    until([&] { return (all = os::processes_below_this()).size() >= 2; });
    CHECK(std::ranges::count(all, spinning.id()) == 1);
    auto grandchild =
        os::task_probe::of_process(*std::ranges::find_if(all, [&](auto id) { return id != spinning.id(); }));
    const auto before = grandchild.cpu_time();
    until([&] { return grandchild.cpu_time() > before + std::chrono::milliseconds{2}; });
    until([&] { return grandchild.look().state == 'R'; });
    CHECK(grandchild.command() == "sh");
    ::kill(static_cast<pid_t>(*std::ranges::find_if(all, [&](auto id) { return id != spinning.id(); })), SIGKILL);
}

TEST_CASE("a process that has ended and was not collected is not listed") {
    const child ended("exit 0");
    auto probe = os::task_probe::of_process(ended.id());
    until([&] { return probe.look().state == 'Z'; });
    CHECK(std::ranges::count(os::processes_below_this(), ended.id()) == 0);
}

TEST_CASE("that something has begun is told once") {
    os::birth_watch births;
    const child ended("exit 0");
    CHECK(births.any());
    int quiet = 0; // other programs start processes too, but not all the time
    until([&] { return !births.any() && ++quiet > 0; });
    CHECK(quiet > 0);
    const other_thread one(other_thread::way::wait);
    CHECK(births.any());
}

TEST_CASE("own memory is read, and where there is none that is told") {
    const os::own_memory memory;
    const std::int64_t there = 4711;
    std::int64_t seen = 0;
    CHECK(memory.read(reinterpret_cast<std::uintptr_t>(&there), seen));
    CHECK(seen == 4711);
    CHECK_FALSE(memory.read(8, seen));
}
