// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "interrupts.hpp"

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace xcores::kernel {

/// The way out, which cannot be blocked: once requested, the running cell is interrupted, and if it, an `atexit`
/// handler or a thread does not end in time, the process does.
///
/// - Thread: request() and requested() on any; it never returns to "not requested".
/// - GIL: not needed, so that a cell which never lets go of it can be ended too.
class shutdown {
public:
    explicit shutdown(interrupts& running) : interrupts_(running) {}
    shutdown(shutdown const&) = delete;
    shutdown& operator=(shutdown const&) = delete;

    void request();
    bool requested() const noexcept { return requested_; }

private:
    interrupts& interrupts_;
    std::atomic<bool> requested_ = false;
};

/// Calls `orphaned`, once and on its own thread, when the process that started us is gone. It watches only where
/// Jupyter asks for it (JPY_PARENT_PID), so that a kernel started by hand may outlive its terminal.
class parent_watch {
public:
    explicit parent_watch(std::function<void()> orphaned);
    ~parent_watch();
    parent_watch(parent_watch const&) = delete;
    parent_watch& operator=(parent_watch const&) = delete;

private:
    void watch(int parent);

    std::function<void()> orphaned_;
    std::mutex mutex_;
    std::condition_variable wake_;
    bool done_ = false;
    std::thread thread_;
};

} // namespace xcores::kernel
