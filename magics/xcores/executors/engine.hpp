// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <memory>
#include <mutex>

#include <xcores/executors/process.hpp>
#include <xcores/run/job_queue.hpp>
#include <xcores/run/session.hpp>

namespace xcores::executors {

/// The machine and Python's version; the rest is for those who know Python's state to fill in. Needs no GIL.
model::environment_record environment_here();

/// The pools of warm workers, one for each kind and way to make them, and the way to run a plan on them.
///
/// - Thread: any.
/// - GIL: called without any.
class engine {
public:
    explicit engine(python_description);

    /// Failure: std::system_error where the system refuses.
    std::shared_ptr<run::session> start(run::plan);

    /// Workers of the same pools for jobs, as they come.
    std::shared_ptr<run::job_queue> open_queue(run::queue_plan);

    run::pool_state state(model::worker_kind) const;

    /// Ends the idle workers. Failure: false when some did not end in time; they go on ending.
    bool shutdown(run::nanoseconds patience);

    /// What is known of the machine and of Python; `switch_interval` and `gil_disabled` are the caller's to tell.
    model::environment_record& environment() noexcept { return environment_; }

private:
    model::environment_record environment_now() const;
    std::vector<std::shared_ptr<run::pool>> pools_of(model::worker_kind) const;
    template <typename Plan>
    std::shared_ptr<run::pool> pool_for(const Plan&) const; ///< a run::plan or run::queue_plan

    std::shared_ptr<process_source> forkserver_;
    std::shared_ptr<run::pool> threads_;
    std::array<std::shared_ptr<run::pool>, 2> interpreters_; ///< by gil_choice
    std::array<std::shared_ptr<run::pool>, 2> processes_;    ///< by start_method
    model::environment_record environment_;
};

} // namespace xcores::executors
