// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <atomic>
#include <cstdint>
#include <latch>
#include <stdexcept>
#include <thread>

#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/// Threads and processes with known behaviour, for tests of those who look at them.
namespace xcores::test {

/// A thread that spins, or waits, until the test is over.
class other_thread {
public:
    enum class way { spin, wait };
    explicit other_thread(way how) : thread_([this, how] { run(how); }) { ready_.wait(); }
    ~other_thread() {
        stop_ = true;
        stop_.notify_all();
        thread_.join();
    }
    std::int64_t id() const { return id_; }

private:
    void run(way how) {
        id_ = ::syscall(SYS_gettid);
        ready_.count_down();
        if (how == way::wait)
            stop_.wait(false);
        while (!stop_) {
        }
    }
    std::atomic<bool> stop_ = false;
    std::atomic<std::int64_t> id_ = 0;
    std::latch ready_{1};
    std::thread thread_;
};

/// A process that does what the shell is told.
class child {
public:
    explicit child(const char* script) {
        const char* arguments[] = {"sh", "-c", script, nullptr};
        if (posix_spawnp(&id_, "sh", nullptr, nullptr, const_cast<char**>(arguments), environ) != 0)
            throw std::runtime_error("no shell could be started");
    }
    ~child() {
        ::kill(id_, SIGKILL);
        ::waitpid(id_, nullptr, 0);
    }
    std::int64_t id() const { return id_; }

private:
    pid_t id_ = 0;
};

/// Waits for something that is bound to happen; ctest's time limit ends a test in which it does not.
template <typename Condition>
void until(Condition condition) {
    while (!condition())
        std::this_thread::yield();
}

} // namespace xcores::test
