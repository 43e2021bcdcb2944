// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <optional>
#include <string>
#include <vector>

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

/// CPU time divided by run time: 1 is a core used all the time. Empty when either is unknown or the run took no time.
std::optional<double> cpu_share(const worker_record&);

struct totals {
    std::optional<interval> running;          ///< from the first worker's run start to the last one's end
    std::optional<nanoseconds> cpu;           ///< sum over workers; empty when unknown for one that ran
    std::optional<double> cores_busy;         ///< cpu / running: how many cores the workers kept busy on average
    int speedup_bound = 1;                    ///< min(workers, usable cores): no cell can gain more than this here;
                                              ///< of a run without workers of ours the usable cores
    std::optional<std::int64_t> memory_bytes; ///< sum over the workers for which it is known
    std::optional<std::int64_t> proportional_bytes; ///< likewise: what all together take
    std::optional<traffic> bytes_in;                ///< likewise
    std::optional<traffic> bytes_out;
    int returned = 0; ///< workers that ran to the end
};

totals totals_of(const report&);

/// When nobody knows who held this GIL, if anybody: some of its workers ran longer than the sampler could see, and none
/// was seen to hold it. In order.
std::vector<interval> unclear_holding(const report&, const gil_record&);

/// Share of `totals::running`, but for the time of unclear_holding(), during which somebody held this GIL, 0..1.
/// Overlapping holds count twice, so a value above 1 would reveal a wrong measurement. Empty when it is known of
/// less than half of the time.
std::optional<double> held_share(const report&, const gil_record&);

/// "held 98 % of the time"; where it is unknown who held it for a part worth telling, "… of the time that is known".
/// Empty when too little is known.
std::string held_words(const report&, const gil_record&);

/// Who held it: share of all holding by each of `gil_record::workers`, in that order, adding up to 1. Empty when never
/// held.
std::vector<double> holders_of(const report&, const gil_record&);

/// One sentence on what happened, computed from the figures: "2 threads took turns: …".
std::string caption_of(const report&);

} // namespace xcores::model
