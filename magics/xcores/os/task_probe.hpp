// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <xcores/os/clock.hpp>
#include <xcores/os/thread_probe.hpp>

namespace xcores::os {

/// Looks at a thread of this process, or at another process, of which only the number is known: nothing runs there on
/// our behalf. Dearer than `thread_probe`, which its own thread helps.
///
/// - Thread: any one at a time.
/// - Lifetime: what is looked at may end at any time; from then on it is unknown.
/// - Failure: what the system does not tell is unknown; nothing throws.
class task_probe {
public:
    static task_probe of_thread(std::int64_t native_id);
    static task_probe of_process(std::int64_t process_id); ///< its CPU time is that of all its threads together

    nanoseconds cpu_time() const noexcept; ///< one system call; -1 ns when it has ended

    struct standing {
        char state = '?'; ///< as in ps: R, S, D, Z, …; of a process: that of its first thread
        int core = -1;    ///< where it runs or last ran
    };
    standing look() noexcept; ///< one pread of a file that is opened at the first call

    /// Of a thread: what it is in the middle of. A process says unknown.
    thread_probe::situation situation() noexcept;

    /// When it began, by the monotonic clock, up to 10 ms too early: the system counts in ticks (proc_pid_stat(5)).
    std::optional<nanoseconds> began() const;

    std::optional<nanoseconds> queue_wait() const; ///< of a thread: time runnable without a core since it began
    std::string command() const;                   ///< the name that the system knows it by; empty when it has ended

private:
    task_probe(std::string folder, clockid_t clock, bool is_thread);

    std::string folder_;
    clockid_t clock_{};
    bool is_thread_ = true;
    unique_fd stat_;
    unique_fd system_call_;
};

/// The threads of this process.
class thread_list {
public:
    thread_list() noexcept;

    std::vector<std::int64_t> read() const;
    std::optional<std::uint64_t> count() const noexcept; ///< one system call

private:
    unique_fd folder_;
};

/// The children of this process, their children, and so on; not those that have ended and only wait to be collected.
std::vector<std::int64_t> processes_below_this();

/// Whether any process or thread has begun on this machine. Much cheaper than to look for them.
class birth_watch {
public:
    birth_watch() noexcept;

    /// Since the last call, or since this was made; true also where the system does not tell.
    bool any() noexcept;

private:
    long newest() const noexcept; ///< the number given last; -1: unknown

    unique_fd load_;
    long newest_ = -1;
};

} // namespace xcores::os
