// SPDX-License-Identifier: BSD-3-Clause
// What happens in a worker while its Python, or the process at the other end of its socket, goes away.
#include <Python.h>

#include <array>
#include <csignal>
#include <memory>
#include <string>
#include <utility>

#include <catch2/catch_test_macros.hpp>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <xcores/cpython/output_module.hpp>
#include <xcores/executors/outbox.hpp>
#include <xcores/executors/output_pipe.hpp>
#include <xcores/executors/wire.hpp>
#include <xcores/os/shared_memory.hpp>

#include "../support/worker_python.hpp"

using namespace xcores;
using namespace xcores::test;

namespace {

/// All that is written to a pipe until its last writer has closed it.
std::string rest_of(int fd) {
    std::string text;
    std::array<char, 4096> bytes{};
    for (;;) {
        const auto count = ::read(fd, bytes.data(), bytes.size());
        if (count <= 0)
            return text;
        text.append(bytes.data(), static_cast<std::size_t>(count));
    }
}

std::pair<os::unique_fd, os::unique_fd> open_pipe() {
    std::array<int, 2> ends{};
    REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
    return {os::unique_fd(ends[0]), executors::high(os::unique_fd(ends[1]))};
}

} // namespace

TEST_CASE("a worker process ends silently when what it answers can no longer be received") {
    namespace wire = executors::wire;
    const auto python = worker_python();
    std::array<int, 2> ends{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
    const os::unique_fd here(ends[0]);
    auto there = executors::high(os::unique_fd(ends[1]));
    auto [output, far_output] = open_pipe();
    auto [errors, far_errors] = open_pipe();
    const auto memory = os::shared_memory::create(sizeof(executors::worker_memory));
    const auto log = executors::high_copy(memory.fd());
    const auto started = executors::make_spawner(python)->start(
        {far_output.get(), far_errors.get(), there.get(), log.get()}, nullptr, {});
    there.reset();
    far_output.reset();
    far_errors.reset();
    if (!started.has_python)
        wire::send(here.get(), wire::kind::hello, executors::hello_of(*python));
    wire::inbox inbox(here.get());
    const auto ready = inbox.receive();
    REQUIRE(ready);
    REQUIRE(ready->what == wire::kind::ready);

    // unix(7): the worker's next message fails with EPIPE, but nothing else tells it that it is alone.
    REQUIRE(::shutdown(here.get(), SHUT_RD) == 0);
    const run::payload input{"answer", {}};
    wire::send(here.get(), wire::kind::task,
               {{"index", 0},
                {"workers", 1},
                {"sample_period", 0},
                {"items", false},
                {"core", -1},
                {"number", 1},
                {"inherited", false}},
               {&input, nullptr, {}});
    CHECK(started.process->wait().signal == SIGKILL);
    CHECK(rest_of(errors.get()) == "");
    CHECK(rest_of(output.get()) == "");
}

TEST_CASE("the output of an interpreter has somewhere to go until the interpreter has ended") {
    const auto state = PyGILState_Ensure();
    auto* const creator = PyThreadState_Get();
    const auto written = std::make_shared<std::string>();
    auto* const inside = Py_NewInterpreter();
    REQUIRE(inside);
    cpython::add_output_module([kept = written](run::stream, std::string_view text) { *kept += text; });
    CHECK(written.use_count() == 2);
    CHECK(PyRun_SimpleString("import _xcores, atexit\n"
                             "class last:\n"
                             "    def __del__(self, write=_xcores.write): write(1, 'and last words')\n"
                             "atexit.last = last()\n"
                             "atexit.register(_xcores.write, 1, 'from atexit, ')\n") == 0);
    Py_EndInterpreter(inside);
    PyThreadState_Swap(creator);
    PyGILState_Release(state);
    CHECK(*written == "from atexit, and last words");
    CHECK(written.use_count() == 1);
}
