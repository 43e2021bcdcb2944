// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <xcores/model/report.hpp>

/// How sure the figures are that come from samples, and how to say them. A few samples give no two-digit figures.
namespace xcores::model {

/// Below this many samples a share is rounded to tens.
inline constexpr std::int64_t enough_samples = 30;
/// Below this many nothing is said.
inline constexpr std::int64_t fewest_samples = 4;

/// How far apart two looks at a worker were at most; zero: nothing was sampled, or what matters was recorded event by
/// event.
nanoseconds sampling_interval(const report&);

/// About how many samples fall into this time; empty: not known, the figures are exact or made up.
std::optional<std::int64_t> samples_in(const report&, nanoseconds time);

/// "47 %"; from few samples "about 50 %", "under 10 %", "over 90 %"; empty from hardly any.
std::string sampled_percent(const report&, double share, nanoseconds time);

/// A share of which only the least and the most is known, 0..1. `least` above 1 reveals a wrong measurement.
struct bounds {
    double least = 0;
    double most = 0;

    /// One figure says it all.
    bool is_narrow() const { return most - least < 0.02; }
    /// Hardly anything is known.
    bool is_wide() const { return most - least > 0.5; }
};

/// "47 %", "1 to 13 %"; empty where that says nothing.
std::string sampled_percent(const report&, const bounds&, nanoseconds time);

/// For how long a worker waited for a core, as a share of its run. The operating system's own figure where there is
/// one; but never more than its CPU time leaves, because the counters are read a little before and after the run.
std::optional<double> core_wait_share(const worker_record&);

} // namespace xcores::model
