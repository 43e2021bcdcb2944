// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <string>

/// SVG to PNG with librsvg, because a picture in a notebook must show where SVG is dropped and without a kernel.
namespace xcores::render {

enum class packing : std::uint8_t { fast, tight }; ///< tight: a fifth smaller, in twice the time

struct raster {
    double scale = 2; ///< pixels a unit
    render::packing packing = packing::fast;
};

/// The bytes of a PNG file, transparent where the SVG draws nothing.
/// Thread: any, also several at once.
/// Failure: std::runtime_error with librsvg's text, or when the picture is too large for cairo.
std::string png(const std::string& svg, const raster& = {});

/// Draws a few letters and throws them away: the first picture of a process otherwise waits 50 ms for fontconfig.
/// Thread: any. Failure: none; a machine without fonts will say so when a picture is wanted.
void warm_fonts() noexcept;

} // namespace xcores::render
