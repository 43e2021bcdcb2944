// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <xcores/model/certainty.hpp>
#include <xcores/model/report.hpp>

/// Figures derived from a report: computed here once, so that every renderer and the Python side say the same.
namespace xcores::model {

/// How one worker's run time divides, from its samples. The parts add up to `sampled`.
struct state_times {
    nanoseconds sampled{};
    nanoseconds running_with_gil{};
    nanoseconds running_without_gil{};
    nanoseconds running_unclear{}; ///< with or without it
    nanoseconds waiting_gil{};
    nanoseconds waiting_core{};
    nanoseconds blocked{};
    nanoseconds unknown{};
    nanoseconds gil_held{}; ///< on a core or not: this is not a part of the sum

    state_times& operator+=(const state_times&);
};

/// Times within the worker's `run` interval only; all zero without samples. Another process runs without any GIL of
/// this one.
state_times times_of(const worker_record&);

/// Share of the time of which something is known that was spent waiting for a GIL, 0..1. Empty where nothing is known
/// of GILs.
std::optional<double> gil_wait_share(const state_times&);

/// CPU time divided by run time: 1 is a core used all the time. Of a thread never more, of a process at most as many as
/// there are cores. Empty when either is unknown or the run took no time.
std::optional<double> cpu_share(const worker_record&);

struct totals {
    std::optional<interval> running;          ///< from the first worker's run start to the last one's end
    std::optional<nanoseconds> cpu;           ///< sum over workers; empty when unknown for one that ran
    std::optional<double> cores_busy;         ///< cpu / running: how many cores the workers kept busy on average; never
                                              ///< more than there are
    std::optional<double> least_busy;         ///< the same of those whose CPU time is known, where it is not of all
    int speedup_bound = 1;                    ///< min(workers, usable cores): work that computes gains no more here;
                                              ///< of a run without workers of ours the usable cores
    std::optional<std::int64_t> memory_bytes; ///< sum over the workers for which it is known
    std::optional<std::int64_t> proportional_bytes; ///< likewise: what all together take
    std::optional<traffic> bytes_in;                ///< likewise
    std::optional<traffic> bytes_out;
    int returned = 0; ///< workers that ran to the end

    /// What all workers take together: processes share pages, with each other and with the one they were forked from.
    std::optional<std::int64_t> memory_together() const {
        return proportional_bytes ? proportional_bytes : memory_bytes;
    }
};

totals totals_of(const report&);

/// ", of which the cell ran 320 µs": to stand behind the time of the whole run. The caption, the cores busy and all
/// shares are of this part of it. Empty where it is the whole, or unknown.
std::string running_words(const report&);

/// When nobody knows who held this GIL, if anybody: some of its workers ran longer than the sampler could see, and none
/// was seen to hold it. In order.
std::vector<interval> unclear_holding(const report&, const gil_record&);

/// Share of `totals::running` during which somebody held this GIL: at least for as long as somebody was seen to hold
/// it, and at most for as long as it is not known that nobody did. What ran between two samples, by the CPU clocks,
/// counts as perhaps. Overlapping holds count twice, so that `least` above 1 would reveal a wrong measurement. Empty
/// where nobody was sampled.
std::optional<bounds> held_bounds(const report&, const gil_record&);

/// The same as one figure. Empty where it is not that well known.
std::optional<double> held_share(const report&, const gil_record&);

/// "held 98 % of the time", "held 1 to 13 % of the time". Empty when too little is known.
std::string held_words(const report&, const gil_record&);

/// Who held it: share of all holding by each of `gil_record::workers`, in that order, adding up to 1. Empty when never
/// held.
std::vector<double> holders_of(const report&, const gil_record&);

/// One sentence on what happened, computed from the figures: "2 threads took turns: …".
std::string caption_of(const report&);

} // namespace xcores::model
