// SPDX-License-Identifier: BSD-3-Clause
// What goes in and out of workers: how long it lives, what is left of it, and over which routes it goes.
#include <algorithm>
#include <array>
#include <filesystem>
#include <future>
#include <set>
#include <thread>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <sys/socket.h>

#include <xcores/cpython/thread_state.hpp>
#include <xcores/executors/packed_fields.hpp>
#include <xcores/executors/wire.hpp>
#include <xcores/os/clock.hpp>
#include <xcores/os/machine.hpp>

#include "../support/executor_under_test.hpp"

using namespace xcores;
using namespace xcores::test;
using enum model::outcome_kind;

namespace {

constexpr std::size_t large = 1 << 20;

std::shared_ptr<std::vector<std::byte>> bytes_of(char value) {
    return std::make_shared<std::vector<std::byte>>(large, static_cast<std::byte>(value));
}

std::shared_ptr<run::session> start_with(const executor_under_test& executor, const std::string& name,
                                         const std::shared_ptr<std::vector<std::byte>>& bytes, int workers) {
    const run::buffer buffer{bytes->data(), bytes->size(), bytes};
    const auto input = std::make_shared<const run::payload>(run::payload{name, {buffer, buffer}});
    run::plan plan;
    plan.kind = executor.kind;
    plan.inputs.assign(static_cast<std::size_t>(workers), input);
    return run::session::start(plan, executor.pool, {});
}

void wait_for(const std::function<bool()>& wish) {
    const auto until = os::now() + patience;
    while (!wish()) {
        REQUIRE(os::now() < until);
        std::this_thread::yield();
    }
}

int interpreters() {
    const cpython::visiting inside(PyInterpreterState_Main());
    int count = 0;
    for (auto* one = PyInterpreterState_Head(); one; one = PyInterpreterState_Next(one))
        ++count;
    return count;
}

std::ptrdiff_t files_in(const char* folder) {
    return std::distance(std::filesystem::directory_iterator(folder), std::filesystem::directory_iterator());
}

/// Other programs come and go there.
std::ptrdiff_t shared_memory_with_our_name() {
    return std::count_if(
        std::filesystem::directory_iterator("/dev/shm"), std::filesystem::directory_iterator(),
        [](const auto& file) { return file.path().filename().string().find("xcores") != std::string::npos; });
}

bool is_all(const run::buffer& buffer, int value) {
    return std::ranges::all_of(std::span(buffer.data, buffer.size),
                               [value](std::byte one) { return one == static_cast<std::byte>(value); });
}

} // namespace

TEST_CASE("large results come back whole, small ones beside them") {
    const auto kind = GENERATE("subinterp", "procs", "forkserver");
    CAPTURE(kind);
    const auto executor = make_executor(kind);
    const auto session = start(executor, {"large result", "large result"});
    finish(*session);
    for (int worker = 0; worker < 2; ++worker) {
        const auto& buffers = session->output(worker)->buffers;
        REQUIRE(buffers.size() == 2);
        CHECK(buffers[0].size == large);
        CHECK(is_all(buffers[0], worker + 1));
        CHECK(std::string_view(reinterpret_cast<const char*>(buffers[1].data), buffers[1].size) == "small");
        const auto record = session->report().workers[static_cast<std::size_t>(worker)];
        REQUIRE(record.bytes_out);
        CHECK(record.bytes_out->shared >= static_cast<std::int64_t>(large));
    }
}

TEST_CASE("an interpreter that has to go stays until nobody looks at its results any more") {
    const auto executor = make_executor("subinterp");
    const auto before = interpreters();
    auto session = start(executor, {"large result"});
    finish(*session);
    auto result = session->output(0);
    session.reset();
    const auto worker = executor.pool->take_all().at(0);
    worker->retire();
    CHECK(worker->wait_until_ended(patience)); // whoever shuts down need not wait for the reader
    CHECK(is_all(result->buffers[0], 1));
    CHECK(interpreters() == before + 1);
    result.reset();
    wait_for([before] { return interpreters() == before; });
}

TEST_CASE("results of a process outlive it") {
    const auto executor = make_executor(GENERATE("procs", "forkserver"));
    const auto session = start(executor, {"large result"});
    finish(*session);
    const auto worker = executor.pool->take_all().at(0);
    worker->retire();
    REQUIRE(worker->wait_until_ended(patience));
    CHECK(is_all(session->output(0)->buffers[0], 1));
}

TEST_CASE("inputs are let go of when their run is over") {
    const auto kind = GENERATE("threads", "subinterp", "procs", "forkserver");
    CAPTURE(kind);
    const auto executor = make_executor(kind);
    auto bytes = bytes_of('x');
    const std::weak_ptr<const void> watched = bytes;
    auto session = start_with(executor, "buffers", bytes, 2);
    finish(*session);
    bytes.reset();
    session.reset();
    wait_for([&watched] { return watched.expired(); });
}

TEST_CASE("a process that keeps its input is not shown the next one in its place") {
    const auto executor = make_executor(GENERATE("procs", "forkserver"));
    finish(*start_with(executor, "keep", bytes_of('a'), 2));
    finish(*start_with(executor, "buffers", bytes_of('b'), 2));
    const auto session = start_with(executor, "kept", bytes_of('c'), 2);
    finish(*session);
    for (const auto& worker : session->report().workers)
        CHECK(worker.result == "[b'aaaa', b'aaaa']");
}

TEST_CASE("nothing is left of many runs with data, failures and crashes") {
    const auto kind = GENERATE("subinterp", "procs", "forkserver");
    CAPTURE(kind);
    const auto executor = make_executor(kind);
    const auto round = [&executor] {
        finish(*start_with(executor, "buffers", bytes_of('x'), 2));
        finish(*start(executor, {"raise", "large result"}));
        if (executor.kind == model::worker_kind::procs)
            finish(*start(executor, {"answer", "hard exit"}));
    };
    round();
    const auto descriptors = files_in("/proc/self/fd");
    constexpr int rounds = 70;
    for (int i = 0; i < rounds; ++i)
        round();
    CHECK(shared_memory_with_our_name() == 0);
    // A worker that is being replaced may still be closing its own.
    wait_for([descriptors] { return files_in("/proc/self/fd") <= descriptors; });
}

TEST_CASE("pinned workers are seen on their own core only, and are free again in the next run") {
    const auto kind = GENERATE("threads", "subinterp", "procs", "forkserver");
    CAPTURE(kind);
    const auto executor = make_executor(kind);
    const auto cores = os::usable_cores();
    run::plan pinned;
    pinned.pin_to = {cores.back(), cores.front()};
    const auto session = start(executor, {"work", "work", "work"}, pinned);
    finish(*session);
    const auto report = session->report();
    for (std::size_t i = 0; i < 3; ++i) {
        std::set<int> seen;
        for (const auto& span : report.workers[i].spans)
            if (span.end > report.workers[i].run->start && span.state == model::thread_state::running && span.core >= 0)
                seen.insert(span.core);
        CHECK(seen == std::set{pinned.pin_to[i % 2]});
    }
    const auto next = start(executor, {"cores", "cores", "cores"});
    finish(*next);
    for (const auto& worker : next->report().workers)
        CHECK(worker.result == std::to_string(cores.size()));
}

TEST_CASE("messages of any shape arrive as they were sent") {
    namespace wire = executors::wire;
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    const os::unique_fd here(ends[0]);
    const os::unique_fd there(ends[1]);
    run::payload sent{std::string(300'000, 'd'), {}};
    for (std::size_t i = 0; i < 3000; ++i) { // more than the system takes at once
        const auto size = i % 500 == 0 ? wire::shared_from + i : i % 7;
        const auto bytes = std::make_shared<std::vector<std::byte>>(size, static_cast<std::byte>(i % 251));
        sent.buffers.push_back({bytes->data(), size, bytes});
    }
    auto received = std::async(std::launch::async, [&there] {
        wire::inbox inbox(there.get());
        auto first = inbox.receive();
        return std::pair(std::move(first), inbox.receive());
    });
    wire::send(here.get(), wire::kind::task, {{"index", 3}}, {&sent, nullptr, {}});
    wire::send(here.get(), wire::kind::go);
    const auto [first, second] = received.get();
    REQUIRE(first);
    CHECK(first->fields.at("index") == 3);
    CHECK(first->content.data == sent.data);
    REQUIRE(first->content.buffers.size() == sent.buffers.size());
    CHECK(std::ranges::equal(first->content.buffers, sent.buffers, [](const auto& one, const auto& other) {
        return std::ranges::equal(std::span(one.data, one.size), std::span(other.data, other.size));
    }));
    REQUIRE(second);
    CHECK(second->what == wire::kind::go);
}

TEST_CASE("messages that are read ahead keep their own descriptors") {
    namespace wire = executors::wire;
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    const os::unique_fd here(ends[0]);
    const os::unique_fd there(ends[1]);
    const auto block = [](char value) {
        const auto bytes = bytes_of(value);
        return run::payload{"", {{bytes->data(), bytes->size(), bytes}}};
    };
    const auto first = block(1);
    const auto last = block(2);
    const std::array<int, 2> passed{here.get(), there.get()};
    wire::send(here.get(), wire::kind::load, {}, {&first, nullptr, {}});
    wire::send(here.get(), wire::kind::unload);
    wire::send(here.get(), wire::kind::fork, {}, {nullptr, nullptr, passed});
    wire::send(here.get(), wire::kind::load, {}, {&last, nullptr, passed});
    wire::inbox inbox(there.get());
    const auto loaded = inbox.receive();
    REQUIRE(loaded);
    CHECK(is_all(loaded->content.buffers.at(0), 1));
    CHECK(loaded->descriptors.empty());
    CHECK(inbox.receive()->descriptors.empty());
    CHECK(inbox.receive()->descriptors.size() == 2);
    const auto again = inbox.receive();
    REQUIRE(again);
    CHECK(is_all(again->content.buffers.at(0), 2));
    CHECK(again->descriptors.size() == 2);
    CHECK_FALSE(inbox.has_more());
}

TEST_CASE("fields are read up to a depth that no message of ours has") {
    const auto [beginning, end, nested] = GENERATE(table<std::vector<std::uint8_t>, std::vector<std::uint8_t>, int>({
        {{0x91}, {0xc0}, 1},             // an array of one element, null
        {{0x81, 0xa1, 'a'}, {0xc0}, 1},  // an object of one member
        {{0xdc, 0x00, 0x01}, {0xc0}, 1}, // the same with longer sizes
        {{0xdf, 0, 0, 0, 1, 0xa1, 'a'}, {0xc0}, 1},
        {{0x91, 0x81, 0xa1, 'a'}, {0xc0}, 2}, // both in turns
    }));
    const auto packed = [&](int levels) {
        std::vector<std::uint8_t> bytes;
        for (int level = 0; level < levels; level += nested)
            bytes.insert(bytes.end(), beginning.begin(), beginning.end());
        bytes.insert(bytes.end(), end.begin(), end.end());
        return bytes;
    };
    CHECK(executors::wire::unpacked(packed(16)).is_structured());
    CHECK_THROWS_AS(executors::wire::unpacked(packed(18)), std::runtime_error);
    constexpr int deeper_than_the_stack = 2'000'000;
    CHECK_THROWS_AS(executors::wire::unpacked(packed(deeper_than_the_stack)), std::runtime_error);
}

TEST_CASE("fields that are wide are read, and what is not MessagePack is refused") {
    const nlohmann::json wide = {{"list", std::vector<int>(100'000, 7)}, {"objects", {{{"a", {1}}}, {{"a", {2}}}}}};
    CHECK(executors::wire::unpacked(nlohmann::json::to_msgpack(wide)) == wide);
    const std::vector<std::uint8_t> broken = GENERATE(values<std::vector<std::uint8_t>>(
        {{}, {0xc1}, {0x92, 0xc0}, {0xdd, 0xff, 0xff, 0xff, 0xff}, {0xc0, 0xc0}, {0x81, 0x01, 0x02}}));
    CHECK_THROWS_AS(executors::wire::unpacked(broken), std::exception);
}
