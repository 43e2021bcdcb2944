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
    /// all other descriptors must be close-on-exec. The child has SIGINT blocked until it lets it through.
    child_process(const std::vector<std::string>& command, const std::vector<std::pair<int, int>>& inherited);
    child_process(const child_process&) = delete;
    child_process& operator=(const child_process&) = delete;
    ~child_process();

    pid_t id() const noexcept { return id_; }
    void signal(int number) noexcept; ///< does nothing once it was reaped
    exit_status wait() noexcept;

private:
    std::mutex mutex_; ///< a reaped id may belong to somebody else: no signal may follow
    pid_t id_ = -1;
    bool reaped_ = false;
};

std::string signal_name(int number); ///< "SIGSEGV (Segmentation fault)"

} // namespace xcores::os
