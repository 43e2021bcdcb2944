// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <xcores/render/activity.hpp>
#include <xcores/render/svg_timeline.hpp>

/// Strokes and colours of the picture. Knows nothing of reports.
namespace xcores::render {

/// How a worker is painted where lanes show who, not what: shades that differ in lightness, each with its own ink.
struct identity {
    std::string_view fill;
    std::string_view ink;
};

struct theme {
    std::string_view card;
    std::string_view edge;
    std::string_view ground; ///< an empty lane
    std::string_view grid;
    std::string_view ink;
    std::string_view faint_ink;
    std::string_view startup;
    std::string_view imports;
    std::array<std::string_view, activities> fills;
    std::array<identity, 4> workers;
    std::array<identity, 2> cores;
};

const theme& theme_of(const style&);

enum class anchor : std::uint8_t { start, middle, end };

struct lettering {
    double size = 12;
    std::string_view fill;
    anchor at = anchor::start;
    bool bold = false;
};

/// At most two decimals, none that say nothing.
std::string number(double);

/// How wide DejaVu Sans sets this, in units; outside ASCII an estimate.
double width_of_text(std::string_view, double size, bool bold = false);

/// Words in lines of at most this width; a word that is longer is cut. A number keeps its unit.
std::vector<std::string> wrapped(std::string_view, double width, double size, bool bold);

class canvas {
public:
    explicit canvas(const theme& colours) : colours_(colours) {}

    const theme& colours() const { return colours_; }

    void box(double x, double y, double width, double height, std::string_view fill, std::string_view more = "");
    void path(std::string_view data, std::string_view fill);
    void lines(std::string_view data, std::string_view stroke, double width);
    /// Escapes.
    void text(double x, double y, std::string_view content, const lettering&);
    /// Says this when the mouse rests on the area. Escapes.
    void hover(double x, double y, double width, double height, std::string_view words);

    /// The document, with card, title and description for those who do not see it.
    std::string finish(double height, std::string_view title, std::string_view description) const;

private:
    const theme& colours_;
    std::string body_;
};

} // namespace xcores::render
