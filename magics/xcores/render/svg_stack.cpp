// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/render/svg_stack.hpp>

#include <algorithm>
#include <array>
#include <cmath>

namespace xcores::render {

namespace {

using model::nanoseconds;
using namespace std::chrono_literals;

/// Divisors of the plot's width, so that columns end on pixels.
constexpr std::array<std::size_t, 11> column_numbers{1408, 704, 352, 256, 176, 128, 88, 64, 44, 32, 22};

/// The outline of columns of these heights, one shape for each unbroken row of them. Steps are relative: a third
/// shorter.
std::string outline(std::span<const double> heights, const time_scale& scale, double ground) {
    std::string data;
    double level = 0;
    double pen = 0;
    for (std::size_t i = 0; i <= heights.size(); ++i) {
        const double next = i < heights.size() ? heights[i] : 0;
        if (next == level)
            continue;
        const double x = scale.x_of_column(i);
        data += level == 0 ? "M" + number(x) + " " + number(ground) : "h" + number(x - pen);
        data += next == 0 ? "V" + number(ground) + "z" : "v" + number(level - next);
        level = next;
        pen = x;
    }
    return data;
}

struct number_place {
    double middle;
    double length;
    std::string words;
    double size;
    std::size_t category;
};

std::vector<number_place> places_in(std::span<const stretch> stretches, const time_scale& scale, const numbering& how) {
    constexpr double smallest = 8;
    constexpr double nearly_all = 0.9; // else the column is stacked, and there is nothing to write on
    std::vector<number_place> places;
    for (std::size_t i = 0; i < stretches.size();) {
        const std::size_t category = stretches[i].category;
        const double left = scale.x(stretches[i].start);
        double right = scale.x(stretches[i].end);
        double covered = right - left;
        for (++i; i < stretches.size() && stretches[i].category == category; ++i) {
            if (scale.x(stretches[i].start) - right >= how.gap)
                break;
            right = scale.x(stretches[i].end);
            covered += right - scale.x(stretches[i].start);
        }
        const std::string digits = std::to_string(category);
        const std::string words = std::string(how.prefix) + digits;
        const double room = right - left - 3;
        const bool all = room >= width_of_text(words, how.size) + 8;
        const double size = all ? how.size : std::min(how.size, how.size * room / width_of_text(digits, how.size));
        if (size >= smallest && covered >= nearly_all * (right - left) && (all || !how.always_prefix))
            places.push_back({(left + right) / 2, right - left, all ? words : digits, size, category});
    }
    return places;
}

} // namespace

std::string drawn_within(std::size_t largest, const std::function<std::string(std::size_t)>& drawn) {
    std::string picture;
    for (const std::size_t columns : column_numbers) {
        picture = drawn(columns);
        if (picture.size() <= largest)
            break;
    }
    return picture;
}

double time_scale::x(nanoseconds time) const {
    const double share =
        static_cast<double>((time - whole.start).count()) / static_cast<double>(whole.length().count());
    return left + std::clamp(share, 0.0, 1.0) * (plot_right - left);
}

double time_scale::x_of_column(std::size_t column) const {
    // In hundredths, as it is written: else the roundings of relative steps would add up.
    const double exact = left + (plot_right - left) * static_cast<double>(column) / static_cast<double>(columns);
    return std::round(exact * 100) / 100;
}

nanoseconds tick_of(const time_scale& scale) {
    constexpr int most_ticks = 9;
    const nanoseconds whole = scale.whole.length();
    if (whole > 200s) {
        for (const nanoseconds step : {nanoseconds{30s}, nanoseconds{1min}, nanoseconds{2min}, nanoseconds{5min},
                                       nanoseconds{10min}, nanoseconds{30min}, nanoseconds{1h}, nanoseconds{2h}})
            if (whole / step <= most_ticks)
                return step;
        return std::chrono::ceil<std::chrono::hours>(whole / most_ticks);
    }
    nanoseconds step{1};
    for (int i = 0; whole / step > most_ticks; ++i)
        step = i % 3 == 1 ? step * 5 / 2 : step * 2;
    return step;
}

void stack::add(const std::vector<stretch>& stretches, const time_scale& scale, double ground, double height) {
    coverage shares(stretches, scale.whole, scale.columns, layers_.size());
    shares.sharpen();
    const double least = std::min(1.0, height / 4);
    std::vector<double> tops(shares.columns());
    std::vector<double> heights(shares.columns());
    for (std::size_t k = 0; k < layers_.size(); ++k) {
        for (std::size_t i = 0; i < shares.columns(); ++i) {
            const double share = shares.share(i, k);
            // A short event is never lost; rounding to the pixels of the PNG keeps equal neighbours equal.
            const double slice = std::max(least, std::round(share * layers_[k].weight * height * 2) / 2);
            heights[i] = share > 1e-6 ? tops[i] = std::min(height, tops[i] + slice) : 0;
        }
        data_[k] += outline(heights, scale, ground);
    }
}

void stack::paint(canvas& on) const {
    for (std::size_t k = layers_.size(); k-- > 0;)
        on.path(data_[k], layers_[k].fill);
}

std::vector<layer> layers_of(std::span<const identity> identities) {
    std::vector<layer> layers;
    for (const identity& one : identities)
        layers.push_back({1, one.fill});
    return layers;
}

std::vector<stretch> in_turn(std::vector<stretch> stretches, std::size_t number) {
    for (stretch& one : stretches)
        one.category %= number;
    return stretches;
}

void draw_numbers(canvas& on, std::span<const stretch> stretches, const time_scale& scale, double middle,
                  const numbering& how) {
    std::vector<number_place> places = places_in(stretches, scale, how);
    std::ranges::stable_sort(places, std::greater{}, &number_place::length);
    places.resize(std::min(places.size(), how.most));
    std::ranges::sort(places, {}, &number_place::middle);
    for (const number_place& one : places)
        on.text(one.middle, middle + one.size * 0.36, one.words,
                {.size = one.size, .fill = how.inks[one.category % how.inks.size()].ink, .at = anchor::middle});
}

void draw_grounds(canvas& on, const time_scale& scale, double y, std::size_t lanes, const lane_sizes& sizes) {
    const double bottom = y + static_cast<double>(lanes - 1) * sizes.pitch + sizes.bar + sizes.strip;
    if (sizes.pitch - sizes.bar < 2)
        on.box(scale.left, y, plot_right - scale.left, bottom - y, on.colours().ground);
    for (std::size_t i = 0; i < lanes && sizes.pitch - sizes.bar >= 2; ++i)
        on.box(scale.left, y + static_cast<double>(i) * sizes.pitch, plot_right - scale.left, sizes.bar,
               on.colours().ground);
    std::string lines;
    for (nanoseconds at{}; at <= scale.whole.end; at += tick_of(scale))
        lines += "M" + number(scale.x(at)) + " " + number(y) + "V" + number(bottom);
    on.lines(lines, on.colours().grid, 0.8);
}

void draw_heading(canvas& on, double y, std::string_view left, std::string_view right) {
    on.text(margin, y, left, {.size = 12, .fill = on.colours().ink, .bold = true});
    on.text(picture_width - margin, y, right, {.size = 11, .fill = on.colours().faint_ink, .at = anchor::end});
}

double draw_note(canvas& on, std::string_view words, double y) {
    on.text(plot_left, y + 12, words, {.size = 11, .fill = on.colours().faint_ink});
    return y + 18;
}

} // namespace xcores::render
