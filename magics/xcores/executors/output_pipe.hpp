// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>

#include <xcores/os/fd.hpp>
#include <xcores/run/worker_body.hpp>

namespace xcores::executors {

/// A copy above the numbers that a child expects things at, so that placing one there cannot overwrite another.
/// Failure: std::system_error.
os::unique_fd high(os::unique_fd);
os::unique_fd high_copy(int fd);

/// A child's standard output or error: read without waiting, never cut inside a UTF-8 character.
/// Thread: one at a time.
class output_pipe {
public:
    /// Gives the end for the child. Failure: std::system_error.
    void open(os::unique_fd& write_end);
    int fd() const noexcept { return read_end_.get(); }

    /// Passes on what is there.
    void drain(run::stream from, const run::output_sink&);

private:
    os::unique_fd read_end_;
    std::string held_;
};

} // namespace xcores::executors
