// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <atomic>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <xcores/model/report.hpp>
#include <xcores/os/futex.hpp>
#include <xcores/run/job.hpp>
#include <xcores/run/lookout.hpp>
#include <xcores/run/sampler.hpp>
#include <xcores/run/worker.hpp>

namespace xcores::run {

struct queue_plan {
    model::worker_kind kind = model::worker_kind::threads;
    model::gil_choice gil = model::gil_choice::own;
    model::start_method start = model::start_method::forkserver;
    int workers = 1;                         ///< at most; they come as jobs do
    std::shared_ptr<const function> initial; ///< called once in each worker before its first job; may be null
    payload initial_input;
    int calls_each = 0;          ///< after so many a worker is replaced; 0: never
    nanoseconds sample_period{}; ///< zero: not sampled
    output_sink output;          ///< of all workers
};

/// How the type of the outcome begins of jobs that were never run because the queue broke; the kind of worker follows.
constexpr const char* broken_type = "broken";

/// The queue takes no jobs any more: closed, or broken by an initial call that failed.
class queue_refused : public std::runtime_error {
public:
    explicit queue_refused(const std::string& why, bool broken) : std::runtime_error(why), broken_(broken) {}
    bool broken() const noexcept { return broken_; }

private:
    bool broken_;
};

/// Jobs that wait, and the workers of a pool that serve them, until it is closed. Beside `session`, which runs one cell
/// on all workers at once, this is for many small calls: no gate, no phases, and as few wake-ups as possible.
///
/// - Thread: any.
/// - GIL: put() and cancel_all() never wait for one; called with or without. The rest without.
/// - Lifetime: shared with its workers. Dropping it does not end it: close() does.
/// - Failure: put() throws queue_refused, and std::system_error when there is no worker at all and none can be made.
///   What happens to a job is data in its answer. A worker that dies fails the call it had, and is replaced.
class job_queue : public std::enable_shared_from_this<job_queue> {
public:
    static std::shared_ptr<job_queue> create(queue_plan, std::shared_ptr<pool>, model::environment_record);
    ~job_queue();

    void put(std::shared_ptr<job>);

    void close();        ///< no more jobs; those that are there are still served, then the workers leave
    void cancel_all();   ///< takes back what nobody has begun
    void kill_workers(); ///< closes, takes back what nobody has begun, and ends the processes of the workers at once

    /// Raises KeyboardInterrupt in the workers that run it, or, for null, any job. Threads run on to the end of theirs.
    void interrupt(const job* of);
    /// By force, where that is possible; the jobs fail.
    void terminate_running();

    /// Waits until all workers have left, after close().
    os::futex::wake wait(nanoseconds time);

    model::worker_kind kind() const noexcept { return plan_.kind; }
    bool left_by_all() const; ///< no worker serves it
    bool closed() const;
    std::string broken() const; ///< why; empty: it is not

    /// What the workers have done since the queue was made.
    model::report report() const;

private:
    class seat;
    using dropped = std::vector<std::shared_ptr<job>>; ///< to be let go without the lock
    /// What is to be done without the lock.
    struct orders {
        std::vector<std::pair<std::shared_ptr<worker>, std::shared_ptr<call>>> handed;
        bool wake = false;
    };

    job_queue(queue_plan, std::shared_ptr<pool>, model::environment_record);
    std::exception_ptr hire_if_needed(std::unique_lock<std::mutex>&);
    bool wants_more_than(int workers) const;
    std::shared_ptr<seat> make_seat();
    orders tell_locked(dropped&);
    void carry_out(const orders&) const;
    bool park(seat&);
    std::shared_ptr<call> unpark(seat&);
    bool serves_no_more(const seat&) const;
    bool is_spent(const seat&) const;
    void serve(seat&, worker&) noexcept;
    void arrive(seat&, worker&);
    void leave(seat&, worker&, const std::string& refusal) noexcept;
    bool wait_for_more(seat&);
    call next_call(seat&);
    void end_idleness(seat&);
    call first_call() const;
    call claim_locked(dropped&);
    std::size_t share_of(const job&) const;
    void finish(seat&, call, answer);
    void give_back(call);
    void break_down(const model::outcome&);
    void fail_all(const model::outcome&);
    void wake_all_locked();
    std::vector<std::shared_ptr<seat>> busy_locked(const job* of) const;
    model::worker_record record_of(const seat&) const;

    const queue_plan plan_;
    const std::shared_ptr<pool> pool_;
    const model::environment_record environment_;
    const nanoseconds start_;
    std::unique_ptr<sampler> sampler_;

    mutable std::mutex mutex_; ///< guards what follows, save atomics
    std::deque<std::shared_ptr<job>> jobs_;
    std::vector<std::shared_ptr<seat>> parked_;
    std::vector<std::shared_ptr<seat>> seats_; ///< also of workers that have left, for the report
    bool closed_ = false;
    bool killed_ = false;
    std::string broken_;
    int serving_ = 0;
    int arriving_ = 0;                     ///< of these, not yet ready for a first job
    int idle_ = 0;                         ///< of these, without a call
    int sleeping_ = 0;                     ///< of these, asleep and not being woken
    std::atomic<int> looking_ = 0;         ///< of the idle ones, awake
    std::atomic<std::size_t> waiting_ = 0; ///< size of jobs_
    std::atomic<std::uint32_t> news_ = 0;  ///< counts what an idle worker wants to see
    lookout lookout_;
    os::futex wake_up_;
    os::futex left_; ///< counts workers that have left
};

} // namespace xcores::run
