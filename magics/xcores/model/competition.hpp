// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <optional>

#include <xcores/model/report.hpp>

/// What other programs took from a run.
namespace xcores::model {

/// How much longer the run took because other programs had the cores: at each moment the share of the cores that the
/// workers could have used, at most all there are, and did not get. So workers that take the cores from each other
/// count as little as those that wait for the holder of a GIL, whatever their number. What is left is at least as long
/// as threads ran with one GIL. Empty: unknown.
std::optional<nanoseconds> lost_to_others(const report&);

} // namespace xcores::model
