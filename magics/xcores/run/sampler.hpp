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
    /// `now`: what was just read from the probe. `elapsed`: since the last call. The first call only takes bearings.
    /// `late`: nobody looked for so long that of the time in between only the sum on a core is known, neither when that
    /// was nor who held the GIL; unless it ran almost all the time and holds it now.
    verdict operator()(probe&, const probe::reading& now, nanoseconds elapsed, bool late = false) noexcept;

    /// When the run is over: what the thread does now has nothing to do with it, but as long as it was running, it ran
    /// on as it did.
    verdict last_words(const probe::reading& now, nanoseconds elapsed, bool late = false) const noexcept;

private:
    static piece see(probe&, const probe::reading&, nanoseconds progress) noexcept;
    static verdict unseen(nanoseconds ran, nanoseconds elapsed, model::thread_state otherwise) noexcept;

    nanoseconds cpu_{-1};
    nanoseconds owed_{}; ///< CPU time seen and not yet shown, where there was less of it than a tick or more
    piece before_;       ///< what the last look saw; "running" means runnable
};

/// How often to look: as was asked, or as many times more rarely as keeps the cost within one part in `share` of a
/// core. Pure.
class pace {
public:
    pace(nanoseconds asked, int share) : asked_(asked), share_(share), period_(asked) {}

    nanoseconds period() const noexcept { return period_; }
    void adapt(nanoseconds cost_of_a_look) noexcept;

private:
    nanoseconds asked_;
    int share_;
    nanoseconds period_;
};

/// Looks at the registered workers at a steady rate, on a thread of its own, and writes what it sees into their logs;
/// with none registered it sleeps. Where looking costs more than its budget, it slows down to stay within that, and
/// says so in its record. What a look costs is remembered for the next sampler of this process.
///
/// - GIL: never takes one. Allocates nothing between add() and remove().
/// - Lifetime: a probe and its log must live until remove() returns, which waits for a look in progress.
class sampler {
public:
    static constexpr int one_percent = 100;
    /// For workers that keep all cores busy: who is interrupted by a look loses about as much again.
    static constexpr int half_a_percent = 200;

    /// `share`: it may cost one part in so many of a core, by its own CPU clock. `before_each_look` is called on the
    /// sampler's thread, for what several probes see at the same moment; with it, it never sleeps.
    explicit sampler(nanoseconds period, int share = one_percent, std::function<void()> before_each_look = {});
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
    bool has_nothing_to_do() const noexcept { return entries_.empty() && !before_each_look_; }
    void keep_within_budget(nanoseconds time) noexcept;
    void set_pace(nanoseconds cost_of_a_look) noexcept;
    struct moment {
        nanoseconds time{};
        probe::reading seen;
    };
    static moment read(probe&) noexcept;
    static bool is_late(nanoseconds elapsed, nanoseconds step) noexcept { return elapsed > 3 * step; }
    void look(nanoseconds time, nanoseconds step) noexcept;
    static void look_at(entry&, nanoseconds time, nanoseconds step) noexcept;
    static void write(entry&, const judge::verdict&) noexcept;

    struct checkpoint {
        nanoseconds time{};
        nanoseconds cost{};
        std::int64_t ticks = 0;
    };

    pace pace_;
    checkpoint checked_;
    std::function<void()> before_each_look_;
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    bool stopping_ = false;
    std::vector<entry> entries_;
    model::sampling_record record_;
    std::thread thread_;
};

/// Threads of one interpreter leave a core to the sampler, and there is more to be seen of them.
inline int share_for(model::worker_kind kind) {
    return kind == model::worker_kind::threads ? sampler::one_percent : sampler::half_a_percent;
}

} // namespace xcores::run
