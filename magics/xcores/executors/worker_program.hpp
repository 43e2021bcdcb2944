// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <xcores/cpython/gil_probe.hpp>
#include <xcores/cpython/worker_code.hpp>
#include <xcores/executors/line_writer.hpp>
#include <xcores/executors/outbox.hpp>
#include <xcores/executors/process.hpp>
#include <xcores/executors/wire.hpp>
#include <xcores/os/machine.hpp>
#include <xcores/os/shared_memory.hpp>
#include <xcores/run/sampler.hpp>
#include <xcores/run/worker_body.hpp>

/// What a worker process is made of: the side of process.hpp that runs there.
namespace xcores::executors {

/// The same descriptor at a high number, close-on-exec, where code that takes low ones for its own does not find it.
/// Empty if there is none.
os::unique_fd hidden(int fd) noexcept;

/// The socket to the process that started this one.
int worker_socket() noexcept;
/// Moves it from where it arrived to a high number.
void hide_worker_socket() noexcept;

/// Ends this process, and what the cell has started with it: we lead a process group of our own.
void end_all(int = 0) noexcept;

/// Sees to it that this process ends with its parent, whatever Python is doing.
void end_with_parent(pid_t parent);

/// The same with a process that is not our parent; `handle` is a descriptor of it (pidfd), to be left open.
void end_with_process(int handle);

/// The tasks that a Python runs, one after the other, on the main thread: that is where Python handles signals.
///
/// - GIL: called without.
/// - Failure: std::exception where Python or the other side refuses; what happens to a task is an answer.
class worker_program {
public:
    /// Makes this Python as `hello` says.
    explicit worker_program(const nlohmann::json& hello);
    ~worker_program();
    worker_program(worker_program&&) = delete;

    /// Takes tasks and calls of functions from the socket until it is closed. `memory`: what is shared with the kernel.
    void serve(wire::inbox&, os::unique_fd memory);
    void end(); ///< before Python does

    /// For one that others are forked from: has the input of the first task ready. Failure: error.
    void load(run::payload input);
    /// How much of that was spent on importing modules.
    run::nanoseconds import_time() const noexcept { return code_->import_time(); }
    void unload();
    bool may_be_copied(); ///< in its present state, into workers
    /// fork(2), as Python wants it: 0 in the child, which may serve() then, and -1 when the system refuses.
    pid_t fork();

private:
    bool prepare(wire::message, wire::inbox&);
    void execute();
    void begin_sampling(int workers, run::nanoseconds period);
    std::optional<model::sampling_record> end_sampling();
    void begin_jobs(int workers, run::nanoseconds sample_period);
    void answer(wire::message call);
    void end_jobs();
    [[noreturn]] void end_copy() noexcept;
    void tell_memory(run::usage&);
    std::set<std::int64_t> inputs_kept();
    worker_memory& shared() const;

    std::optional<os::shared_memory> memory_;
    const std::shared_ptr<line_writer> writer_ = std::make_shared<line_writer>(); ///< shared with Python's streams
    std::optional<cpython::worker_code> code_;
    std::optional<cpython::job_code> jobs_;
    std::optional<cpython::gil_probe> probe_;
    std::optional<run::sampler> sampler_;
    PyThreadState* const state_;
    run::nanoseconds period_{};
    int workers_ = 1;
    /// The owners of what came in, by the number of the task.
    std::vector<std::pair<std::int64_t, std::weak_ptr<const void>>> inputs_;
    os::core_choice core_;
    os::shared_view shares_;
    std::int64_t resident_at_shares_ = 0; ///< resident memory when these were read
};

} // namespace xcores::executors
