// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <xcores/model/report.hpp>
#include <xcores/render/svg_canvas.hpp>

/// What all lanes of the picture have in common: the time scale, and columns that are stacked in proportion to time.
namespace xcores::render {

inline constexpr double picture_width = 900;
inline constexpr double margin = 20;
inline constexpr double plot_left = 112;
inline constexpr double plot_right = 816;

/// What `drawn` makes of the largest number of columns that keeps the picture at `largest` bytes; of the smallest if
/// none does.
std::string drawn_within(std::size_t largest, const std::function<std::string(std::size_t columns)>& drawn);

/// Where a moment is on paper, and how many columns there are into which samples are gathered.
struct time_scale {
    model::interval whole;
    std::size_t columns = 1;
    double left = plot_left; ///< further right where lanes have names

    double x(model::nanoseconds) const;
    double x_of_column(std::size_t) const;
};

/// The distance between the ticks of the axis: 1, 2 or 5 of a power of ten, or whole minutes.
model::nanoseconds tick_of(const time_scale&);

/// How tall the lanes of a group are when there are so many of them.
struct lane_sizes {
    double pitch;
    double bar;
    double strip; ///< below the bar; 0: no room
    double font;
    std::size_t label_every;

    double baseline(double y) const { return y + bar / 2 + font * 0.36; }
    bool labels(std::size_t lane) const { return lane % label_every == 0; }
};

/// How a category is drawn where a column is all its own: its height as a share of the lane's, and its fill.
struct layer {
    double weight;
    std::string_view fill;
};

/// The bars of a group of lanes, one path for each category. Categories stand on each other from the ground up; each is
/// outlined from the ground to its top and the uppermost is painted first, so that no seam can show between two of
/// them.
class stack {
public:
    explicit stack(std::vector<layer> layers) : layers_(std::move(layers)), data_(layers_.size()) {}

    void add(const std::vector<stretch>&, const time_scale&, double ground, double height);
    void paint(canvas&) const;

private:
    std::vector<layer> layers_;
    std::vector<std::string> data_;
};

/// Shades for a category each, in turn.
std::vector<layer> layers_of(std::span<const identity>);
std::vector<stretch> in_turn(std::vector<stretch>, std::size_t number);

/// The category written into the stretches that have room for it, across interruptions shorter than `gap` units.
struct numbering {
    std::string_view prefix; ///< written as well where there is room
    bool always_prefix = false;
    double size = 12;
    double gap = 1.5;
    std::size_t most = 40; ///< only into the longest: more is a flicker that nobody reads, and letters are dear to draw
    std::span<const identity> inks;
};
void draw_numbers(canvas&, std::span<const stretch>, const time_scale&, double middle, const numbering&);

/// The ground of a group of lanes, and the axis' lines upon it.
void draw_grounds(canvas&, const time_scale&, double y, std::size_t lanes, const lane_sizes&);

void draw_heading(canvas&, double y, std::string_view left, std::string_view right);
double draw_note(canvas&, std::string_view words, double y);

} // namespace xcores::render
