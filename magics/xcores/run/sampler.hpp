// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include <xcores/model/report.hpp>
#include <xcores/run/judge.hpp>
#include <xcores/run/probe.hpp>
#include <xcores/run/sample_log.hpp>

namespace xcores::run {

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
        std::uint64_t handovers; ///< of its GIL at the last look
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
    static void look_at(entry&, turn&, nanoseconds time, nanoseconds step) noexcept;
    static void write(sample_log&, const turn&) noexcept;

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
    std::vector<turn> turns_; ///< of each entry: what is known of it up to `end`
    model::sampling_record record_;
    std::thread thread_;
};

/// Threads of one interpreter leave a core to the sampler, and there is more to be seen of them.
inline int share_for(model::worker_kind kind) {
    return kind == model::worker_kind::threads ? sampler::one_percent : sampler::half_a_percent;
}

} // namespace xcores::run
