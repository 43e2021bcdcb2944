// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <xcores/cpython/gil_probe.hpp>
#include <xcores/cpython/worker_code.hpp>
#include <xcores/executors/outbox.hpp>
#include <xcores/executors/process.hpp>
#include <xcores/executors/wire.hpp>
#include <xcores/os/machine.hpp>
#include <xcores/os/shared_memory.hpp>
#include <xcores/run/sampler.hpp>
#include <xcores/run/worker_body.hpp>

/// What a worker process is made of: the side of process.hpp that runs there.
namespace xcores::executors {

/// Standard output and error, a line at a time: what was written is in the pipe before the result is sent.
/// Thread: any.
class line_writer {
public:
    void write(run::stream to, std::string_view text);
    bool flush(); ///< true: something was written since the last time
    void hold();  ///< from now on nothing is written
    void pass();  ///< no longer: what was held comes out with the next line or flush()
    void drop();  ///< what is held

private:
    static void flush(run::stream to, std::string& held);
    std::mutex mutex_;
    std::array<std::string, 2> held_;
    bool holding_ = false;
    bool written_ = false;
};

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

    /// Takes tasks and calls of functions from the socket until it is closed.
    void serve(wire::inbox&);
    void end(); ///< before Python does

    /// For one that others are forked from: has the input of the first task ready. Failure: error.
    void load(run::payload input);
    void unload();
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
    void tell_memory(run::usage&);
    std::set<std::int64_t> inputs_kept();
    worker_memory& shared() const;

    std::optional<os::shared_memory> memory_;
    line_writer writer_;
    cpython::writer write_ = [this](run::stream to, std::string_view text) { writer_.write(to, text); };
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
    bool told_shares_ = false;
};

} // namespace xcores::executors
