// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>

/// SVG to PNG with librsvg, because a picture in a notebook must show where SVG is dropped and without a kernel.
namespace xcores::render {

/// The bytes of a PNG file, `scale` pixels a unit, transparent where the SVG draws nothing.
/// Thread: any, also several at once.
/// Failure: std::runtime_error with librsvg's text, or when the picture is too large for cairo.
std::string png(const std::string& svg, double scale = 2.0);

/// Draws a few letters and throws them away: the first picture of a process otherwise waits 50 ms for fontconfig.
/// Thread: any. Failure: none; a machine without fonts will say so when a picture is wanted.
void warm_fonts() noexcept;

} // namespace xcores::render
