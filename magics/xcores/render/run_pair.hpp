// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include <xcores/model/report.hpp>
#include <xcores/render/svg_timeline.hpp>

/// Two runs beside each other: their figures in one table, their workers over one time axis.
namespace xcores::render {

struct named_run {
    std::string name; ///< as the user knows it
    const model::report& run;
};

/// "b took 425 ms, a 830 ms: 1.95 times as fast."
std::string caption_of(const named_run& first, const named_run& second);

std::string html_pair(const named_run& first, const named_run& second);
std::string text_pair(const named_run& first, const named_run& second, int columns = 100);
std::string svg_pair(const named_run& first, const named_run& second, const style& = {});

} // namespace xcores::render
