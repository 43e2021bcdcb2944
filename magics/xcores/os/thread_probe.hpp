// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <optional>
#include <thread>
#include <vector>

#include <pthread.h>

#include <xcores/os/clock.hpp>
#include <xcores/os/fd.hpp>

namespace xcores::os {

/// Looks at one thread of this process from another one, without stopping it.
///
/// - Thread: make it on the thread that is to be looked at; read it from any one thread.
/// - Lifetime: that thread must outlive the last read.
/// - Failure: what the system does not tell is unknown (-1, nullopt); nothing throws.
class thread_probe {
public:
    thread_probe() noexcept;

    std::int64_t native_id() const noexcept { return native_id_; }
    int core() const noexcept;             ///< from the thread's rseq area, which the kernel keeps: no system call
    nanoseconds cpu_time() const noexcept; ///< one system call; -1 ns when unknown

    enum class activity { unknown, runnable, in_system_call };
    struct situation {
        activity what = activity::unknown;
        std::uintptr_t futex = 0; ///< in_system_call: the address waited on when the call is futex, else 0
    };
    /// One pread of /proc/self/task/TID/syscall. A thread that looks at itself is runnable: its system call is this
    /// one.
    situation look() const noexcept;

private:
    const volatile std::uint32_t* core_ = nullptr;
    clockid_t clock_{};
    pthread_t thread_{};
    std::int64_t native_id_ = 0;
    unique_fd system_call_;
};

/// What a file like /proc/self/task/TID/syscall says.
thread_probe::situation situation_in(const unique_fd& system_call) noexcept;

/// Exact totals of the calling thread since it began.
struct thread_totals {
    std::optional<nanoseconds> queue_wait;
    std::optional<std::int64_t> voluntary_switches;
    std::optional<std::int64_t> involuntary_switches;
    std::optional<std::int64_t> minor_faults;
    std::optional<std::int64_t> major_faults;
    std::optional<std::int64_t> migrations; ///< empty on kernels that do not tell
};
thread_totals totals_of_this_thread() noexcept;

/// Makes the calling thread deaf to signals meant for the process, so that they reach the main thread. For threads of
/// ours.
void block_signals_on_this_thread() noexcept;

/// Keeps a thread on one core, and lets it go again.
/// Thread: the one that is meant. Failure: it stays where it may run; nothing throws.
class core_choice {
public:
    void pin(int core) noexcept; ///< negative: where it could run before the first pin

private:
    std::vector<int> before_;
};

} // namespace xcores::os
