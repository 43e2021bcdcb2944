// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>

#include <xcores/model/comparison.hpp>
#include <xcores/render/svg_timeline.hpp>

/// The chart of a comparison: on the left the time of each way of running the cell, on the right the speed-up over the
/// number of workers beside the ideal line. Each with the spread of its rounds. Refuses to draw what was not measured.
namespace xcores::render {

/// An SVG document on the same card as the timeline. Pure: the same comparison gives the same bytes.
std::string svg_chart(const model::comparison&, const style& = {});

} // namespace xcores::render
