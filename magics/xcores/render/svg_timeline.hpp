// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>

#include <xcores/model/report.hpp>

/// The picture: one lane per worker, coloured by what it did; one ribbon per shared GIL, showing who held it; one lane
/// per core, showing which worker sat on it. Refuses to smooth: where several samples share a column of the picture,
/// the column is divided among them in proportion.
namespace xcores::render {

struct style {
    bool dark = false;             ///< a dark card instead of the near-white one
    std::size_t largest = 200'000; ///< bytes; a busy run gets wider columns to stay within them
};

/// An SVG document of 900 units' width, at most as long as the style says whatever the run. Pure: the same report gives
/// the same bytes.
std::string svg_timeline(const model::report&, const style& = {});

/// How the run was recorded and at what cost: "Sampled 80 times, every 1 ms, at a cost of 0.4 % of a core."
std::string recording_words(const model::report&);

} // namespace xcores::render
