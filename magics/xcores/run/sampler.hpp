// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include <xcores/model/report.hpp>
#include <xcores/run/probe.hpp>
#include <xcores/run/sample_log.hpp>

namespace xcores::run {

/// What one look tells of the time since the last one. Pure, so that it can be tested by itself.
///
/// A look sees a moment: what the thread is doing, who holds the GIL. The CPU clock tells how long it ran since the
/// last one. Where it began or ceased to run in between, the time is cut in two accordingly, so that what is shown as
/// running adds up to the CPU clock.
class judge {
public:
    struct piece {
        nanoseconds length{};
        model::thread_state state = model::thread_state::unknown;
        model::gil_state gil = model::gil_state::unknown;
        int core = -1;
        bool operator==(const piece&) const = default;
    };
    struct verdict {
        piece first; ///< may have no length
        piece second;
    };
    /// `elapsed`: since the last call. The first call only takes bearings. `late`: nobody looked for so long that of
    /// the time in between only the sum on a core is known, neither when that was nor who held the GIL.
    verdict operator()(probe&, nanoseconds elapsed, bool late = false) noexcept;

    /// When the run is over: what the thread does now has nothing to do with it, but as long as it was running, it ran
    /// on as it did.
    verdict last_words(probe&, nanoseconds elapsed) noexcept;

private:
    static piece see(probe&, const probe::reading&, nanoseconds progress) noexcept;

    nanoseconds cpu_{-1};
    nanoseconds owed_{}; ///< CPU time seen and not yet shown, where there was less of it than a tick or more
    piece before_;       ///< what the last look saw; "running" means runnable
};

/// Looks at the registered workers at a steady rate, on a thread of its own, and writes what it sees into their logs.
/// Where looking costs more than 1 % of a core, it slows down to stay within that, and says so in its record.
///
/// - GIL: never takes one. Allocates nothing between add() and remove().
/// - Lifetime: a probe and its log must live until remove() returns, which waits for a look in progress.
class sampler {
public:
    /// `before_each_look` is called on the sampler's thread, for what several probes see at the same moment.
    explicit sampler(nanoseconds period, std::function<void()> before_each_look = {});
    ~sampler(); ///< stops; all workers must have been removed
    sampler(const sampler&) = delete;
    sampler& operator=(const sampler&) = delete;

    /// Thread: any.
    void add(probe&, sample_log&);
    void remove(probe&) noexcept; ///< after a last look

    model::sampling_record record() const;

private:
    struct entry {
        probe* what;
        sample_log* log;
        judge judgement;
        nanoseconds last;
    };
    void loop() noexcept;
    void keep_within_budget(nanoseconds time) noexcept;
    void look(nanoseconds time) noexcept;
    void look_at(entry&, nanoseconds time) const noexcept;
    static void write(entry&, const judge::verdict&) noexcept;

    nanoseconds period_;
    nanoseconds budget_checked_at_{};
    nanoseconds budget_checked_cost_{};
    std::function<void()> before_each_look_;
    mutable std::mutex mutex_;
    std::condition_variable stopped_;
    bool stopping_ = false;
    std::vector<entry> entries_;
    model::sampling_record record_;
    std::thread thread_;
};

} // namespace xcores::run
