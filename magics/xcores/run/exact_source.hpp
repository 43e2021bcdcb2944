// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <memory>
#include <optional>
#include <system_error>

#include <xcores/os/lock_events.hpp>
#include <xcores/os/run_queue.hpp>
#include <xcores/os/thread_events.hpp>
#include <xcores/run/exact_trace.hpp>
#include <xcores/run/probe.hpp>
#include <xcores/run/recording_allowance.hpp>
#include <xcores/run/sample_log.hpp>

namespace xcores::run {

/// Records one thread: its context switches, and what it does with its GIL. Where that would cost more than 1 % of a
/// core it pauses, and its owner samples the thread instead.
///
/// - Thread: the sampler's, between its construction and the end.
/// - GIL: never takes one.
/// - Lifetime: probe and log outlive it.
class exact_source {
public:
    /// Nothing where the system does not allow it, or the probe cannot be recorded. `adds_itself`: the calling thread
    /// is the one, and has not its GIL.
    static std::unique_ptr<exact_source> open(probe&, sample_log&, std::shared_ptr<recording_allowance>,
                                              bool adds_itself);
    /// Why nothing can be recorded now; no error: it can. ECANCELED: the environment variable XCORES_EXACT is 0.
    /// `code`: of CPython, any.
    static std::error_code refusal(const void* code) noexcept;

    /// Failure: std::system_error, as of os::thread_events and os::lock_events.
    exact_source(probe&, sample_log&, const probe::recordable&, std::shared_ptr<recording_allowance>, bool adds_itself);

    ~exact_source();
    exact_source(const exact_source&) = delete;
    exact_source& operator=(const exact_source&) = delete;

    /// Writes what has happened up to this time into the log. False: it pauses from now on.
    bool collect(nanoseconds time);
    bool is_recording() const noexcept { return !pause_; }
    nanoseconds paused_since() const noexcept { return pause_->start; } ///< in a pause
    /// Records again if the pause is over. `time`: until then it has been sampled.
    void resume(nanoseconds time);
    /// The same as collect(), for the last time.
    void finish(nanoseconds time);

    model::recorded_events sums() const noexcept;
    nanoseconds cost() const noexcept { return cost_; }            ///< to the thread, as far as it is known
    std::int64_t collected() const noexcept { return collected_; } ///< records
    const std::shared_ptr<recording_allowance>& allowance() const noexcept { return allowance_; }
    /// Until when it had the GIL, as far as has been collected; empty: not at all.
    std::optional<nanoseconds> last_held() const noexcept { return trace_.last_held(); }

private:
    void begin(nanoseconds time, bool adds_itself);
    void drain(nanoseconds until);
    void settle(nanoseconds time);
    bool has_lost() const noexcept { return gil_ && gil_->is_full(); }
    void learn_switch_cost() noexcept;
    void go_on_after_loss();
    void set_baseline(nanoseconds time, nanoseconds cpu) noexcept;
    void pause();
    void spend(nanoseconds cost_of_record) noexcept;
    void take(const os::thread_events::record&);
    void take(const os::lock_events::record&);

    probe& probe_;
    const unsigned made_in_;                               ///< os::fork_count()
    const std::shared_ptr<recording_allowance> allowance_; ///< of its GIL
    os::thread_events switches_;
    std::optional<os::lock_events> gil_; ///< empty: it has none
    const os::run_queue queue_;
    exact_trace trace_;
    struct baseline {
        nanoseconds time{};
        nanoseconds cpu{};
        nanoseconds on_core{};
        std::int64_t switches = 0;
        std::optional<nanoseconds> waited; ///< for a core
    };
    baseline since_; ///< its beginning, or its last pause
    nanoseconds last_gil_event_{};
    nanoseconds last_switch_{};
    bool has_missed_ = false;    ///< records of context switches after those that are there
    bool knows_of_loss_ = false; ///< which the next record of a context switch tells
    std::optional<model::interval> pause_;
    nanoseconds sampled_{}; ///< in pauses
    nanoseconds cost_{};
    std::int64_t collected_ = 0;
};

} // namespace xcores::run
