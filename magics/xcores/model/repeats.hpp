// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <vector>

#include <xcores/model/report.hpp>

namespace xcores::model {

/// The report of several runs of the same cell: that of the median run by wall time, with the spread of all.
/// `runs` has at least one, and all have as many workers as the first.
report repeated(std::vector<report> runs);

} // namespace xcores::model
