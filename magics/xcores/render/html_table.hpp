// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>

#include <xcores/model/report.hpp>

/// The figures as a plain HTML table: no script, no style sheet, no network; it says the same where styles are
/// stripped.
namespace xcores::render {

/// One fragment; every string that is not ours is escaped.
std::string html_table(const model::report&);

} // namespace xcores::render
