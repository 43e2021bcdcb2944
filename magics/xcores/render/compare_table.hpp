// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>

#include <xcores/model/comparison.hpp>

/// A comparison as a table: the recommendation, one row for each way of running the cell, and what was compared.
namespace xcores::render {

/// As `html_table` does for a report.
std::string html_table(const model::comparison&);

std::string text_table(const model::comparison&, int columns = 110);

/// What the estimates for an idle machine are; empty where there are none.
std::string idle_text(const model::comparison&);

/// "3 rounds, in turns; Python 3.14.8 on 2 cores"
std::string circumstances_of(const model::comparison&);

} // namespace xcores::render
