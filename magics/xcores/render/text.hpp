// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>

#include <xcores/model/report.hpp>

/// A report for a terminal, or for a reader that shows nothing but text. Every line ends in '\n'.
namespace xcores::render {

/// The caption, one row a worker, the totals.
std::string text_table(const model::report&, int columns = 100);

/// One line a worker and one a core, in block characters.
std::string text_timeline(const model::report&, int columns = 100);

/// Both.
std::string text(const model::report&, int columns = 100);

} // namespace xcores::render
