// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/render/speedup_plot.hpp>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <xcores/model/format.hpp>

namespace xcores::render {

namespace {

using enum model::worker_kind;

constexpr double plot_height = 252;
constexpr double mark_size = 5;
constexpr double most_on_a_linear_axis = 8;
// Marks of different kinds at the same place stay visible side by side.
constexpr double shift_per_kind = 7;

struct point {
    int workers;
    model::measurement speedup;
    std::optional<double> idle; ///< estimated
};

struct series {
    model::worker_kind kind;
    std::vector<point> points;
};

std::optional<double> idle_of(const model::comparison& from, const model::configuration& way) {
    const auto idle = model::idle_speedup_of(from, way);
    return idle ? std::optional(idle->median) : std::nullopt;
}

std::vector<series> all_series(const model::comparison& from) {
    std::vector<series> all;
    for (const auto kind : {threads, subinterp, procs}) {
        series one{kind, {}};
        for (const model::configuration& way : from.configurations)
            if (const auto speedup = way.kind == kind ? model::speedup_of(from, way) : std::nullopt)
                one.points.push_back({way.workers, *speedup, idle_of(from, way)});
        std::ranges::sort(one.points, {}, &point::workers);
        if (!one.points.empty())
            all.push_back(std::move(one));
    }
    return all;
}

/// Both axes are of one kind, so that the ideal line is straight: linear for few workers, in powers of two for many.
class scales {
public:
    scales(const std::vector<series>& all, const plot_place& place) : place_(place) {
        for (const series& one : all)
            for (const point& at : one.points) {
                least_ = std::min(least_, at.speedup.least);
                most_ = std::max({most_, at.speedup.most, at.idle.value_or(0), static_cast<double>(at.workers)});
                counts_.push_back(at.workers);
            }
        std::ranges::sort(counts_);
        counts_.erase(std::unique(counts_.begin(), counts_.end()), counts_.end());
        is_linear_ = most_ <= most_on_a_linear_axis;
        least_ = is_linear_ ? 0 : std::exp2(std::max(-4.0, std::floor(std::log2(std::max(least_, 0.01)))));
        most_ = is_linear_ ? std::ceil(most_ * 2.04) / 2 : most_ * 1.15;
    }

    double x(double workers) const {
        const double inner = place_.right - place_.left - 2 * padding;
        if (counts_.size() == 1)
            return place_.left + padding + inner / 2;
        return place_.left + padding +
               inner * share(workers, static_cast<double>(counts_.front()), static_cast<double>(counts_.back()));
    }
    double y(double speedup) const {
        return bottom() - plot_height * std::clamp(share(speedup, least_, most_), 0.0, 1.0);
    }
    double top() const { return bottom() - plot_height; }
    double bottom() const { return place_.top + 26 + plot_height; }
    double most() const { return most_; }
    const std::vector<int>& counts() const { return counts_; }
    const plot_place& place() const { return place_; }

    std::vector<double> ticks() const {
        std::vector<double> values;
        if (is_linear_)
            for (double value = 0; value <= most_; value += most_ <= 3 ? 0.5 : 1)
                values.push_back(value);
        else
            for (double value = least_; value <= most_; value *= 2)
                values.push_back(value);
        return values;
    }

private:
    static constexpr double padding = 26;

    double share(double value, double from, double to) const {
        if (is_linear_)
            return (value - from) / (to - from);
        return std::log2(std::max(value, 1e-3) / from) / std::log2(to / from);
    }

    plot_place place_;
    std::vector<int> counts_;
    double least_ = 1;
    double most_ = 1;
    bool is_linear_ = true;
};

std::string for_people(double value) {
    return model::fixed(value, value == std::floor(value) ? 0 : value * 2 == std::floor(value * 2) ? 1 : 2);
}

void draw_frame(canvas& on, const scales& to) {
    const plot_place& place = to.place();
    std::string grid;
    for (const double value : to.ticks()) {
        grid += "M" + number(place.left) + " " + number(to.y(value)) + "H" + number(place.right);
        on.text(place.left - 7, to.y(value) + 4, for_people(value),
                {.size = 11.5, .fill = on.colours().faint_ink, .at = anchor::end});
    }
    on.lines(grid, on.colours().grid, 1);
    on.lines("M" + number(place.left) + " " + number(to.bottom()) + "H" + number(place.right), on.colours().faint_ink,
             1);
    double free_from = place.left - 40;
    for (const int count : to.counts()) {
        const std::string label = std::to_string(count);
        const double half = width_of_text(label, 11.5) / 2;
        if (to.x(count) - half < free_from)
            continue;
        free_from = to.x(count) + half + 6;
        on.text(to.x(count), to.bottom() + 17, label,
                {.size = 11.5, .fill = on.colours().faint_ink, .at = anchor::middle});
    }
    on.text((place.left + place.right) / 2, to.bottom() + 34, "workers",
            {.size = 11.5, .fill = on.colours().faint_ink, .at = anchor::middle});
}

/// A line of dashes: the canvas draws paths, and a path of dashes looks the same everywhere.
void draw_dashes(canvas& on, double x0, double y0, double x1, double y1, std::string_view stroke) {
    constexpr double dash = 6;
    const double length = std::hypot(x1 - x0, y1 - y0);
    std::string data;
    for (double at = 0; at < length; at += 2 * dash) {
        const double end = std::min(at + dash, length);
        data += "M" + number(x0 + (x1 - x0) * at / length) + " " + number(y0 + (y1 - y0) * at / length) + "L" +
                number(x0 + (x1 - x0) * end / length) + " " + number(y0 + (y1 - y0) * end / length);
    }
    if (!data.empty())
        on.lines(data, stroke, 1.4);
}

/// What no work that computes can exceed, and what each further worker would bring at best.
void draw_bounds(canvas& on, const scales& to, std::size_t cores) {
    const int first = to.counts().front();
    const int last = to.counts().back();
    const plot_place& place = to.place();
    const auto& ink = on.colours().faint_ink;
    if (first == last) {
        on.lines("M" + number(to.x(first) - 30) + " " + number(to.y(first)) + "h60", ink, 1.4);
        on.text(to.x(first) + 36, to.y(first) + 4, "ideal", {.size = 11, .fill = ink});
    } else {
        draw_dashes(on, to.x(first), to.y(first), to.x(last), to.y(last), ink);
        on.text(to.x(last) - 8, to.y(last) - 5, "ideal", {.size = 11, .fill = ink, .at = anchor::end});
    }
    draw_dashes(on, place.left, to.y(1), place.right, to.y(1), colour_of(std::nullopt));
    on.text(place.right, to.y(1) + 14, "serial", {.size = 11, .fill = ink, .at = anchor::end});
    const auto bound = static_cast<double>(cores);
    if (cores > 1 && cores < static_cast<std::size_t>(last)) {
        draw_dashes(on, place.left, to.y(bound), place.right, to.y(bound), ink);
        on.text(place.left + 4, to.y(bound) - 5, model::count(static_cast<std::int64_t>(cores)) + " cores",
                {.size = 11, .fill = ink});
    }
}

void draw_shape(canvas& on, model::worker_kind kind, double x, double y, double size, std::string_view fill) {
    if (kind == subinterp) {
        on.box(x - size * 0.9, y - size * 0.9, size * 1.8, size * 1.8, fill);
    } else if (kind == procs) {
        on.path("M" + number(x) + " " + number(y - size * 1.2) + "l" + number(size * 1.2) + " " + number(size * 2.2) +
                    "h" + number(-size * 2.4) + "z",
                fill);
    } else {
        const std::string radius = number(size);
        on.path("M" + number(x - size) + " " + number(y) + "a" + radius + " " + radius + " 0 1 1 " + number(2 * size) +
                    " 0a" + radius + " " + radius + " 0 1 1 " + number(-2 * size) + " 0z",
                fill);
    }
}

void draw_shape(canvas& on, model::worker_kind kind, double x, double y, double size) {
    draw_shape(on, kind, x, y, size, colour_of(kind));
}

/// An estimate is hollow.
void draw_hollow_shape(canvas& on, model::worker_kind kind, double x, double y, double size) {
    draw_shape(on, kind, x, y, size, colour_of(kind));
    draw_shape(on, kind, x, y + (kind == procs ? size * 0.08 : 0), size * 0.6, on.colours().card);
}

void draw_series(canvas& on, const scales& to, const series& one) {
    const double shift = (static_cast<double>(one.kind) - 1) * shift_per_kind;
    std::string line;
    std::string spread;
    for (const point& at : one.points) {
        const double x = to.x(at.workers) + shift;
        line += (line.empty() ? "M" : "L") + number(x) + " " + number(to.y(at.speedup.median));
        spread += "M" + number(x) + " " + number(to.y(at.speedup.least)) + "V" + number(to.y(at.speedup.most));
    }
    on.lines(line, colour_of(one.kind), 2);
    on.lines(spread, colour_of(one.kind), 1.4);
    for (const point& at : one.points) {
        if (at.idle)
            draw_hollow_shape(on, one.kind, to.x(at.workers) + shift, to.y(*at.idle), mark_size);
        draw_shape(on, one.kind, to.x(at.workers) + shift, to.y(at.speedup.median), mark_size);
    }
}

double draw_key(canvas& on, const std::vector<series>& all, const plot_place& place, double y) {
    double x = place.left;
    for (const series& one : all) {
        draw_shape(on, one.kind, x + 6, y + 6, mark_size);
        const std::string words(model::name_of(one.kind));
        on.text(x + 18, y + 10, words, {.size = 12, .fill = on.colours().ink});
        x += 18 + width_of_text(words, 12) + 24;
    }
    const auto has_estimate = [](const point& at) { return at.idle.has_value(); };
    if (std::ranges::any_of(all, [&](const series& one) { return std::ranges::any_of(one.points, has_estimate); }))
        on.text(x, y + 10, "hollow: estimate", {.size = 12, .fill = on.colours().ink});
    return y + 20;
}

} // namespace

std::string_view colour_of(const std::optional<model::worker_kind>& kind) {
    if (!kind)
        return "#77818C";
    switch (*kind) {
    case threads:
        return "#0072B2";
    case subinterp:
        return "#009E73";
    case procs:
        return "#D55E00";
    case model::worker_kind::cores: // no workers of ours: nothing to compare
        break;
    }
    return "#77818C";
}

double draw_speedup(canvas& on, const model::comparison& from, const plot_place& place) {
    const std::vector<series> all = all_series(from);
    if (all.empty())
        return place.top;
    on.text(place.left, place.top + 12, "Speed-up against serial",
            {.size = 13, .fill = on.colours().ink, .bold = true});
    const scales to(all, place);
    draw_frame(on, to);
    draw_bounds(on, to, from.environment.cores.size());
    for (const series& one : all)
        draw_series(on, to, one);
    return draw_key(on, all, place, to.bottom() + 44);
}

} // namespace xcores::render
