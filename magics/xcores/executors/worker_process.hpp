// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <memory>
#include <stop_token>

#include <xcores/model/report.hpp>
#include <xcores/os/child_process.hpp>
#include <xcores/run/payload.hpp>

namespace xcores::executors {

struct python_description;

/// A worker process that has been started, in whatever way.
///
/// - Thread: signal() from any; wait() from one.
/// - Lifetime: it leads a process group, which ends with it. The destructor kills what still runs.
class worker_process {
public:
    virtual ~worker_process() = default;

    virtual pid_t id() const noexcept = 0;
    virtual int handle() const noexcept = 0;            ///< readable once it has ended; -1: there is none
    virtual void signal_group(int number) noexcept = 0; ///< to it and what it has started; nothing once it has ended
    virtual os::exit_status wait() noexcept = 0;
};

/// Where worker processes come from. Thread: any.
class process_source {
public:
    /// What the process is given.
    struct descriptors {
        int output;
        int errors;
        int socket;
        int log;
    };
    struct started {
        std::unique_ptr<worker_process> process;
        bool has_python = false;          ///< otherwise it waits for wire::kind::hello
        bool has_input = false;           ///< it was born with the input prepared
        model::nanoseconds import_time{}; ///< how much of the start was spent on importing modules that the input needs
    };
    virtual ~process_source() = default;

    /// `input`: what its first task will be given; may be null. A stop request, from any thread, makes it fail soon.
    /// Failure: std::exception.
    virtual started start(const descriptors&, const std::shared_ptr<const run::payload>& input,
                          const std::stop_token&) = 0;

    /// No more processes will be started for this input.
    virtual void forget(const std::shared_ptr<const run::payload>&) noexcept {}

    /// Ends what it keeps to start processes from; the next one begins anew. Never waits for a start under way.
    virtual void reset() noexcept {}
};

/// Starts every process anew.
std::shared_ptr<process_source> make_spawner(std::shared_ptr<const python_description>);

} // namespace xcores::executors
