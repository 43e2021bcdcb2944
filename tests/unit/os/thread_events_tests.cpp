// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>
#include <filesystem>
#include <optional>
#include <system_error>
#include <vector>

#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>

#include <xcores/os/thread_events.hpp>

using namespace xcores::os;
using namespace std::chrono_literals;
using event = thread_events::event;

namespace {

std::int64_t this_thread() {
    return ::syscall(SYS_gettid);
}

/// Where the system does not allow it, there is nothing to test.
std::optional<thread_events> made;

thread_events& events_of_this_thread() {
    try {
        made.emplace(this_thread());
    } catch (const std::system_error& refused) {
        SKIP("not allowed here: " << refused.what());
    }
    while (made->front())
        made->pop();
    return *made;
}

std::vector<thread_events::record> drained(thread_events& from) {
    std::vector<thread_events::record> all;
    for (; from.front(); from.pop())
        all.push_back(*from.front());
    return all;
}

std::int64_t count(const std::vector<thread_events::record>& in, event what) {
    return std::ranges::count(in, what, &thread_events::record::kind);
}

std::ptrdiff_t open_descriptors() {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
}

} // namespace

TEST_CASE("what is still to be taken out can be summed up, and stays") {
    auto& events = events_of_this_thread();
    const auto before = now();
    ::usleep(2000);
    ::usleep(2000);
    const auto after = now();
    const auto ahead = events.ahead(before, after);
    thread_events::summary expected;
    auto since = before;
    for (const auto& each : drained(events)) {
        if (each.time > after)
            break;
        if (each.kind == event::on_core) {
            since = each.time;
            ++expected.switches;
        } else {
            expected.on_core += each.time - since;
            since = after;
        }
    }
    expected.on_core += after - since;
    CHECK(expected.switches >= 2);
    CHECK(ahead.switches == expected.switches);
    CHECK(ahead.on_core == expected.on_core);
    CHECK(events.ahead(std::nullopt, now()).switches <= 1); // of the time since it was drained
}

TEST_CASE("where records have no room, that is told at once, and by the next record") {
    auto& events = events_of_this_thread();
    CHECK_FALSE(events.is_full());
    while (!events.is_full())
        ::usleep(1);
    for (int i = 0; i < 3; ++i)
        ::usleep(1); // lost
    CHECK(count(drained(events), event::lost) == 0);
    ::usleep(1);
    const auto next = drained(events);
    REQUIRE_FALSE(next.empty());
    CHECK(next.front().kind == event::lost);
    CHECK_FALSE(events.is_full());
}

TEST_CASE("a sleep is recorded with its times and cores") {
    auto& events = events_of_this_thread();
    const auto before = now();
    ::usleep(2000);
    const auto after = now();
    const auto all = drained(events);
    const auto left = std::ranges::find(all, event::off_core, &thread_events::record::kind);
    REQUIRE(left != all.end());
    const auto back = std::find_if(left, all.end(), [](const auto& each) { return each.kind == event::on_core; });
    REQUIRE(back != all.end());
    CHECK(left->time >= before);
    CHECK(back->time <= after);
    CHECK(back->time - left->time >= 1900us);
    CHECK(left->core >= 0);
    CHECK(std::ranges::is_sorted(all, {}, &thread_events::record::time));
}

TEST_CASE("in a pause nothing is recorded") {
    auto& events = events_of_this_thread();
    events.pause();
    drained(events);
    ::usleep(100);
    CHECK(drained(events).empty());
    events.resume();
    ::usleep(100);
    CHECK(count(drained(events), event::off_core) >= 1);
}

TEST_CASE("what does not fit into the buffer is lost, and that is recorded") {
    auto& events = events_of_this_thread();
    for (int i = 0; i < 2000; ++i)
        ::usleep(1);
    auto records = drained(events);
    CHECK(count(records, event::off_core) < 2000);
    for (int i = 0; i < 10; ++i)
        ::usleep(1);
    for (const auto& each : drained(events))
        records.push_back(each);
    CHECK(count(records, event::lost) >= 1);
}

TEST_CASE("a forked child has none of it and harms nothing") {
    auto& events = events_of_this_thread();
    const pid_t child = ::fork();
    if (child == 0) {
        const bool nothing = drained(events).empty();
        made.reset();
        ::_exit(nothing ? 0 : 1);
    }
    int status = -1;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
    CHECK_FALSE(drained(events).empty()); // it slept for the child
}

TEST_CASE("nothing is left open") {
    events_of_this_thread();
    made.reset();
    const auto before = open_descriptors();
    for (int i = 0; i < 100; ++i) {
        const thread_events events(this_thread());
    }
    CHECK(open_descriptors() == before);
}

TEST_CASE("a thread that does not exist is refused with the system's reason") {
    events_of_this_thread();
    CHECK_THROWS_AS(thread_events(0x3FFFFFF), std::system_error);
}
