// SPDX-License-Identifier: BSD-3-Clause
#include "shutdown.hpp"
#include "process_group.hpp"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <unistd.h>

namespace xcores::kernel {

using namespace std::chrono_literals;

namespace {

constexpr auto patience_with_a_cell = 1000ms;
/// Shorter than Jupyter's, which sends SIGTERM half-way through its five seconds.
constexpr auto patience = 2300ms;

} // namespace

void shutdown::request() {
    if (requested_.exchange(true)) {
        return;
    }
    // Detached, and made of things that live until the process ends: it must still be there when everything else,
    // this object included, is being taken down.
    quiet_thread("xcores shutdown", [&running = interrupts_] {
        auto const start = std::chrono::steady_clock::now();
        for (;;) {
            auto const waited = std::chrono::steady_clock::now() - start;
            if (waited > patience || (running.running() && waited > patience_with_a_cell)) {
                end_children();
                _exit(0); // asked for, hence no failure
            }
            running.interrupt(); // again and again: `except KeyboardInterrupt` may sit in a loop
            std::this_thread::sleep_for(50ms);
        }
    }).detach();
}

parent_watch::parent_watch(std::function<void()> orphaned) : orphaned_(std::move(orphaned)) {
    if (char const* const named = std::getenv("JPY_PARENT_PID")) {
        int const jupyter = std::atoi(named);
        bool const too_late = getppid() == 1 && jupyter > 1 && kill(jupyter, 0) == -1 && errno == ESRCH;
        // Otherwise it is whoever started us, a wrapper of Jupyter's perhaps.
        thread_ = quiet_thread("xcores parent", [this, parent = too_late ? jupyter : getppid()] { watch(parent); });
    }
}

parent_watch::~parent_watch() {
    {
        std::lock_guard const lock(mutex_);
        done_ = true;
    }
    wake_.notify_all();
    if (thread_.joinable()) {
        thread_.join();
    }
}

void parent_watch::watch(int parent) {
    std::unique_lock lock(mutex_);
    // A poll, because PR_SET_PDEATHSIG follows the parent's thread, and servers start kernels from threads that end.
    while (!wake_.wait_for(lock, 500ms, [this] { return done_; })) {
        if (getppid() != parent) {
            orphaned_();
            return;
        }
    }
}

} // namespace xcores::kernel
