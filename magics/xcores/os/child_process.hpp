// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <sys/types.h>

#include <xcores/os/fd.hpp>

namespace xcores::os {

/// How a process ended.
struct exit_status {
    std::optional<int> code;
    std::optional<int> signal; ///< neither: somebody else reaped it
};

/// A child started by posix_spawn in a process group of its own. Never a fork of this (threaded) process.
///
/// - Thread: signal() from any; wait() from one.
/// - Lifetime: the destructor kills and reaps what still runs.
/// - Failure: spawning throws std::system_error.
class child_process {
public:
    /// `command`: the file of the program, and its arguments. `inherited`: {descriptor here, its number in the child};
    /// beside these it has the standard ones. `variable`: "NAME=value" for its environment, besides ours. It has SIGINT
    /// blocked until it lets it through.
    child_process(const std::vector<std::string>& command, const std::vector<std::pair<int, int>>& inherited,
                  const std::string& variable = {});
    child_process(const child_process&) = delete;
    child_process& operator=(const child_process&) = delete;
    ~child_process();

    pid_t id() const noexcept { return id_; }
    int handle() const noexcept { return handle_.get(); } ///< readable once it has ended; -1: the system gave none
    void signal(int number) noexcept;                     ///< does nothing once it was reaped
    void signal_group(int number) noexcept;               ///< the same to all in its process group
    exit_status wait() noexcept; ///< what is left in its process group then gets SIGTERM: it ends with the child

private:
    std::mutex mutex_; ///< a reaped id may belong to somebody else: no signal may follow
    pid_t id_ = -1;
    unique_fd handle_;
    bool reaped_ = false;
};

std::string signal_name(int number); ///< "SIGSEGV (Segmentation fault)"

} // namespace xcores::os
