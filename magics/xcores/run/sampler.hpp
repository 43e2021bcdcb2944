// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include <xcores/model/report.hpp>
#include <xcores/run/exact_source.hpp>
#include <xcores/run/gil_attribution.hpp>
#include <xcores/run/probe.hpp>
#include <xcores/run/sample_log.hpp>
#include <xcores/run/sample_rules.hpp>

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

/// What it costs to sample so many threads, timer included: as much as the last time, or less in proportion for fewer
/// threads. Pure.
class sampling_cost {
public:
    void note(nanoseconds cost, std::size_t threads) noexcept {
        cost_ = cost;
        threads_ = std::max<std::size_t>(1, threads);
    }
    nanoseconds expected(std::size_t threads) const noexcept {
        const auto most = threads_.load();
        return cost_.load() * static_cast<std::int64_t>(std::clamp<std::size_t>(threads, 1, most)) /
               static_cast<std::int64_t>(most);
    }

private:
    std::atomic<nanoseconds> cost_{};
    std::atomic<std::size_t> threads_ = 1;
};

/// Writes into the logs of the registered workers what they do: where the system records that, each event of it; else
/// what it sees of them at a steady rate, on a thread of its own. With none registered it sleeps. Where looking costs
/// more than its budget, it slows down to stay within that, and says so in its record. The cost is remembered for the
/// next sampler of this process.
///
/// - GIL: never takes one. Allocates nothing between add() and remove().
/// - Lifetime: a probe and its log must live until remove() returns, which waits for a look in progress.
class sampler {
public:
    static constexpr int one_percent = 100;
    /// For workers that keep all cores busy: being interrupted by the sampler costs one about the same again.
    static constexpr int half_a_percent = 200;

    /// `share`: it may cost one part in so many of a core, by its own CPU clock; what recording costs the recorded
    /// threads comes on top (recording_allowance). `before_each_look` is called on the
    /// sampler's thread, for what several probes see at the same moment; with it, it never sleeps.
    explicit sampler(nanoseconds period, int share = one_percent, std::function<void()> before_each_look = {});
    ~sampler(); ///< stops; all workers must have been removed
    sampler(const sampler&) = delete;
    sampler& operator=(const sampler&) = delete;

    /// Thread: any.
    void add(probe&, sample_log&);
    /// After a last look. For how long it was sampled since add(), where a thread like it can be recorded.
    nanoseconds remove(probe&) noexcept;

    model::sampling_record record() const;

private:
    struct entry {
        probe* what;
        sample_log* log;
        sample_rules rules;
        std::uint64_t handovers;             ///< of its GIL at the last look
        std::unique_ptr<exact_source> exact; ///< null: the thread is sampled
        bool could_be_recorded;              ///< a thread of this process
        nanoseconds sampled{};               ///< of one that could and is not
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
    void sample(entry&, sampled_interval&, nanoseconds time, nanoseconds step) noexcept;
    std::shared_ptr<recording_allowance> allowance_for(std::uintptr_t gil) const;
    void collect(entry&, sampled_interval&, nanoseconds time) noexcept;
    static void write(sample_log&, const sampled_interval&) noexcept;

    struct checkpoint {
        nanoseconds time{};
        nanoseconds cost{}; ///< of looking
        std::int64_t ticks = 0;
    };
    nanoseconds cost_of_looking() const noexcept;

    pace pace_;
    checkpoint checked_;
    std::function<void()> before_each_look_;
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    bool stopping_ = false;
    std::vector<entry> entries_;
    std::int64_t collected_ = 0;              ///< records
    nanoseconds never_recorded_{};            ///< the time of threads that could be and were not
    std::vector<sampled_interval> intervals_; ///< of each entry: what is known of it up to `end`
    model::sampling_record record_;
    model::sampling_record ended_; ///< what was recorded of threads that have been removed
    std::thread thread_;
};

/// Threads of one interpreter leave a core to the sampler, and there is more to be seen of them.
inline int share_for(model::worker_kind kind) {
    return kind == model::worker_kind::threads ? sampler::one_percent : sampler::half_a_percent;
}

} // namespace xcores::run
