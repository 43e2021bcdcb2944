// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <optional>
#include <string>

#include <xcores/model/report.hpp>

/// How far a mapped cell has come, and how often a cell was repeated: figures, and the words for them that every
/// renderer uses.
namespace xcores::model {

struct progress {
    std::int64_t done = 0;       ///< ended, whether well or not
    std::optional<double> share; ///< of the total, 0..1
    std::optional<double> per_second;
    std::optional<nanoseconds> left; ///< at this rate; empty when that cannot be said, or nothing is left
};

/// Empty when the cell was not mapped.
std::optional<progress> progress_of(const report&);

/// "1,232 of 10,000 items done, 2 failed (12 %), 850 a second, 10.3 s left". Empty when the cell was not mapped.
/// What failed is not done; share and rate count both.
std::string progress_text(const report&);

/// "ran 5 times: wall time 1.73 ms (1.61 ms to 2.04 ms)…". Empty when it ran once.
std::string repeats_text(const report&);

/// "12 items".
std::string items_text(std::int64_t);

/// "1.73 ms (1.61 ms to 2.04 ms)".
std::string spread_text(const spread&);

} // namespace xcores::model
