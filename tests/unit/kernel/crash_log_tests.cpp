// SPDX-License-Identifier: BSD-3-Clause
#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>

#include <crash_log.hpp>

using xcores::kernel::crash_log;

namespace {

/// The standard streams of a kernel, which leads them into pipes that it reads.
struct streams {
    int ends[2][2]{};

    streams() {
        for (auto& pair : ends)
            if (::pipe2(pair, O_NONBLOCK | O_CLOEXEC) != 0)
                std::abort();
    }
    std::array<int, 2> read_ends() const { return {ends[0][0], ends[1][0]}; }
    void write(int number, const std::string& text) const {
        if (::write(ends[number - 1][1], text.data(), text.size()) != static_cast<ssize_t>(text.size()))
            std::abort();
    }
};

struct ending {
    int status = 0;  ///< as waitpid() gives it
    std::string log; ///< what stands in the log
};

constexpr std::array<int, 5> fatal{SIGSEGV, SIGFPE, SIGABRT, SIGBUS, SIGILL};

/// Runs `body` in a process of its own, with a crash log that starts after `before`.
ending process(const std::function<void(const streams&)>& body, const std::function<void()>& before = [] {}) {
    std::FILE* log = std::tmpfile();
    REQUIRE(log != nullptr);
    const pid_t id = ::fork();
    if (id == 0) {
        for (const int number : fatal) // Catch2 and sanitisers have handlers of their own
            std::signal(number, SIG_DFL);
        before();
        const streams written;
        crash_log::start(written.read_ends(), ::fileno(log));
        body(written);
        ::_exit(0);
    }
    ending seen;
    ::waitpid(id, &seen.status, 0);
    std::rewind(log);
    char text[16 * 1024];
    seen.log.assign(text, std::fread(text, 1, sizeof text, log));
    std::fclose(log);
    return seen;
}

} // namespace

TEST_CASE("a crash leaves the text that was read of late and what stands in the pipes in the log") {
    const auto seen = process([](const streams& all) {
        crash_log::note("read, ");
        crash_log::note("and read again; ");
        all.write(2, "an error; ");
        all.write(1, "output; ");
        std::raise(SIGABRT);
    });
    CHECK(seen.log == "read, and read again; output; an error; ");
    CHECK(WIFSIGNALED(seen.status));
    CHECK(WTERMSIG(seen.status) == SIGABRT);
}

TEST_CASE("every signal of a crash ends the process as without the log") {
    for (const int number : fatal) {
        const auto seen = process([number](const streams& all) {
            all.write(2, "last words");
            std::raise(number);
        });
        CAPTURE(number);
        CHECK(seen.log == "last words");
        CHECK(WIFSIGNALED(seen.status));
        CHECK(WTERMSIG(seen.status) == number);
    }
}

TEST_CASE("of much text the end is kept") {
    const auto seen = process([](const streams&) {
        crash_log::note(std::string(20'000, 'x') + "the end");
        std::raise(SIGABRT);
    });
    CHECK(seen.log.size() == 8 * 1024);
    CHECK(seen.log.ends_with("xthe end"));
}

TEST_CASE("a handler that was there before runs after the text is in the log") {
    const auto seen = process(
        [](const streams& all) {
            all.write(1, "output");
            std::raise(SIGBUS);
        },
        [] { std::signal(SIGBUS, [](int) { ::_exit(7); }); });
    CHECK(seen.log == "output");
    CHECK(WIFEXITED(seen.status));
    CHECK(WEXITSTATUS(seen.status) == 7);
}

TEST_CASE("a forked child that crashes takes nothing of its parent's") {
    const auto seen = process([](const streams& all) {
        crash_log::note("the parent's");
        all.write(1, "output of both");
        const pid_t child = ::fork();
        if (child == 0)
            std::raise(SIGABRT);
        int status = 0;
        ::waitpid(child, &status, 0);
        ::_exit(WIFSIGNALED(status) ? 5 : 6);
    });
    CHECK(seen.log.empty());
    CHECK(WEXITSTATUS(seen.status) == 5);
}

TEST_CASE("after its end the log takes nothing any more") {
    const auto seen = process([](const streams& all) {
        all.write(1, "output");
        crash_log::stop();
        std::raise(SIGABRT);
    });
    CHECK(seen.log.empty());
    CHECK(WTERMSIG(seen.status) == SIGABRT);
}
