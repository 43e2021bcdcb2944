// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <xcores/model/report.hpp>
#include <xcores/os/event.hpp>
#include <xcores/run/gate.hpp>
#include <xcores/run/item_queue.hpp>
#include <xcores/run/open_line.hpp>
#include <xcores/run/sampler.hpp>
#include <xcores/run/worker.hpp>

namespace xcores::run {

/// One cell on N workers, as a plain value.
struct plan {
    model::worker_kind kind = model::worker_kind::threads;
    model::gil_choice gil = model::gil_choice::own;
    model::start_method start = model::start_method::forkserver;
    std::vector<std::shared_ptr<const payload>> inputs;       ///< one a worker
    std::optional<nanoseconds> timeout;                       ///< for the whole run, from its start
    nanoseconds sample_period = std::chrono::milliseconds{1}; ///< zero: not sampled
    std::vector<int> pin_to; ///< worker i runs on core i of these only, starting over after the last; empty: wherever
                             ///< the system likes
    /// How long a worker that was asked to stop may take before it is ended by force or left behind.
    nanoseconds grace = std::chrono::milliseconds{400};
    std::shared_ptr<item_queue> items; ///< the cell runs once for each of these; null: once a worker
    bool fresh = false;                ///< on new workers; the idle ones are retired
    bool keep = false;                 ///< on the same workers, in the same order, as the last run that said so
};

enum class stop_reason : std::uint8_t { none, interrupt, timeout, failure };

struct output_chunk {
    int worker = 0;
    stream from = stream::standard_output;
    std::string text;
};

/// Runs a plan on workers of a pool and keeps what happened: plan + workers + sampler -> report.
///
/// - Thread: any; wait() on one at a time, and it is wait() that watches the time limits.
/// - GIL: called without any.
/// - Lifetime: shared with its workers, so it may be dropped at any moment; what still runs goes on to its end.
/// - Failure: what happens to a worker is data in the report; only start() throws (std::system_error).
class session : public std::enable_shared_from_this<session> {
public:
    static std::shared_ptr<session> start(plan, std::shared_ptr<pool>, model::environment_record);

    enum class wake { finished, output, hungry, timed_out, signalled };
    /// Returns when all is over, when there is new output (not more often than every 50 ms), when more items are
    /// wanted, when a signal was handled on the calling thread, or after `time`.
    wake wait(nanoseconds time);

    std::vector<output_chunk> take_output();

    /// Asks the workers that have not ended to stop; a worker that does not within plan::grace is ended or abandoned.
    void stop(stop_reason);

    enum class detail { whole, recent };
    model::report report(detail = detail::whole) const;
    /// By the monotonic clock: to what the times in reports are relative.
    nanoseconds start_time() const noexcept { return start_; }

    /// Of a mapped cell; else null.
    const std::shared_ptr<item_queue>& items() const noexcept { return plan_.items; }

    /// What a worker sent back; null before it has ended and when it sent nothing.
    std::shared_ptr<const payload> output(int worker) const;

private:
    enum class phase : std::uint8_t { waiting, opening, receiving, ready, executing, sending, leaving, ended };
    struct slot {
        std::shared_ptr<worker> by;
        phase now = phase::waiting;
        bool cold = false;
        bool registered = false;
        bool given_up = false;  ///< ended by force, or while it opened
        bool reopening = false; ///< its body is being replaced: nobody else may touch it
        model::worker_record record;
        std::optional<std::int64_t> memory; ///< of an interpreter, before the cell ran
        gil_identity gil;
        usage used;
        sample_log::owner log; ///< for bodies that our sampler looks at
        std::vector<model::span> spans;
        open_line printing;
        std::shared_ptr<const payload> output;

        /// By others than its own thread: its body is open, works for us, and is not being replaced.
        bool can_be_reached() const noexcept { return now >= phase::receiving && now < phase::leaving && !reopening; }
    };

    class feed;

    session(plan, std::shared_ptr<pool>, model::environment_record);
    void occupy(std::vector<std::shared_ptr<worker>>);
    void work(int index, worker&) noexcept;
    bool receive(slot&, int index, worker&);
    void prepare(int index, worker&);
    reply run_to_end(slot&, int index, worker&);
    void keep_usage(slot&, usage);
    void identify(slot&, const worker_body&);
    static std::optional<model::traffic> traffic_of(const payload&, const worker_body& with);
    void count_items(int index, const item_chunk&);
    std::shared_ptr<item_feed> make_feed(int index);
    bool replace(slot&, int index, worker&, const model::outcome&);
    bool may_reopen(slot&);
    bool reopened(slot&, int index, worker&);
    void lose_item(const slot&, const model::outcome&);
    void stop_others(stop_reason, const slot* caller);
    void count_end();
    void arrive();
    void attribute_start_locked();
    void note_growth();
    void attribute_rest_locked();
    std::optional<std::int64_t> resident_now() const;
    std::int64_t share_of(std::int64_t growth) const;
    void end(slot&, int index, worker&, reply);
    void close(slot&) noexcept;
    void enforce_limits();
    void abandon(slot&);
    bool end_by_force(slot&);
    model::outcome stopped(std::string message) const;
    void explain(model::outcome&) const;
    void note_end(int index, reply&);
    bool stopping() const;
    nanoseconds since_start() const;
    void mark(slot&, phase);
    void fill_gils(model::report&) const;
    void fill_sampling(model::report&) const;

    plan plan_; ///< stays as it is, but each worker lets go of its input in the end
    const std::shared_ptr<pool> pool_;
    const model::environment_record environment_;
    const nanoseconds start_;
    gate gate_;
    os::event event_;
    std::unique_ptr<sampler> sampler_;

    mutable std::mutex mutex_; ///< guards what follows
    std::vector<slot> slots_;
    std::vector<output_chunk> output_;
    std::optional<std::int64_t> resident_; ///< memory of this process before interpreters grew
    bool start_attributed_ = false;
    std::optional<std::int64_t> growth_; ///< since then, at the end of the cell's code
    std::int64_t input_size_ = 0;        ///< what goes at the end of the run
    int unfinished_ = 0;
    stop_reason stopping_ = stop_reason::none;
    std::optional<nanoseconds> force_at_;
    std::optional<nanoseconds> finished_at_;
    nanoseconds output_told_at_{};
};

} // namespace xcores::run
