// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/render/compare_chart.hpp>

#include <algorithm>
#include <array>
#include <cmath>

#include <xcores/model/format.hpp>
#include <xcores/render/compare_table.hpp>
#include <xcores/render/escape.hpp>
#include <xcores/render/speedup_plot.hpp>
#include <xcores/render/svg_stack.hpp>

namespace xcores::render {

namespace {

constexpr double bars_left = 112;
constexpr double bars_right = 360;
constexpr double values_right = 428;
constexpr std::size_t most_bars = 48;

struct bar_sizes {
    double pitch;
    double bar;
    double font;
};

bar_sizes sizes_for(std::size_t bars) {
    if (bars <= 10)
        return {26, 18, 12};
    return bars <= 20 ? bar_sizes{20, 14, 12} : bar_sizes{14, 10, 10.5};
}

std::string time_text(double time) {
    return model::duration(model::nanoseconds{static_cast<std::int64_t>(time)});
}

double longest_of(const model::comparison& from) {
    double longest = 1;
    for (const model::configuration& one : from.configurations)
        if (const auto time = model::time_of(from, one))
            longest = std::max(longest, time->most);
    return longest;
}

std::string hover_of(const model::comparison& from, const model::configuration& one) {
    std::string words = model::label_of(one) + ": ";
    const auto time = model::time_of(from, one);
    if (!time)
        return clipped(words + (one.failure.empty() ? "not measured" : one.failure), 160);
    words += time_text(time->median);
    if (one.walls.size() > 1)
        words += " (" + time_text(time->least) + " to " + time_text(time->most) + ")";
    if (const auto speedup = model::speedup_of(from, one))
        words += ", speed-up " + model::fixed(speedup->median, 2);
    if (const auto idle = model::idle_speedup_of(from, one))
        words += ", on an idle machine about " + model::fixed(idle->median, 1);
    return words;
}

/// From the least to the most of all rounds, across the end of the bar.
void draw_spread(canvas& on, double from, double to, double middle, double arm) {
    if (to - from < 1)
        return;
    const std::string cap = "v" + number(2 * arm);
    on.lines("M" + number(from) + " " + number(middle) + "H" + number(to) + "M" + number(from) + " " +
                 number(middle - arm) + cap + "M" + number(to) + " " + number(middle - arm) + cap,
             on.colours().ink, 1.2);
}

void draw_bar(canvas& on, const model::comparison& from, const model::configuration& one, double longest, double y,
              const bar_sizes& sizes) {
    const double baseline = y + sizes.bar / 2 + sizes.font * 0.36;
    on.text(bars_left - 8, baseline, model::label_of(one),
            {.size = sizes.font, .fill = on.colours().ink, .at = anchor::end});
    const auto time = model::time_of(from, one);
    const auto x = [&](double value) { return bars_left + value / longest * (bars_right - bars_left); };
    if (time) {
        on.box(bars_left, y, std::max(1.0, x(time->median) - bars_left), sizes.bar, colour_of(one.kind), "rx=\"2\"");
        draw_spread(on, x(time->least), x(time->most), y + sizes.bar / 2, sizes.bar / 4);
        on.text(std::max(x(time->median), x(time->most)) + 7, baseline, time_text(time->median),
                {.size = sizes.font, .fill = on.colours().ink});
    } else {
        const std::string words = one.failure.empty() ? "not measured" : "✗ " + one.failure;
        const auto room = static_cast<std::size_t>((values_right - bars_left) / sizes.font / 0.56);
        on.text(bars_left + 4, baseline, clipped(words, room), {.size = sizes.font, .fill = on.colours().faint_ink});
    }
    on.hover(margin, y, values_right - margin, sizes.bar, hover_of(from, one));
}

double draw_bars(canvas& on, const model::comparison& from, double y) {
    const std::size_t bars = std::min(from.configurations.size(), most_bars);
    const bar_sizes sizes = sizes_for(bars);
    const double longest = longest_of(from);
    const std::string head = from.reading == model::work_reading::repeated ? "Time per run of the cell" : "Time";
    on.text(margin, y + 12, head, {.size = 13, .fill = on.colours().ink, .bold = true});
    y += 26;
    std::optional<model::worker_kind> before;
    for (std::size_t i = 0; i < bars; ++i) {
        const model::configuration& one = from.configurations[i];
        y += i > 0 && one.kind != before ? 6 : 0;
        draw_bar(on, from, one, longest, y, sizes);
        before = one.kind;
        y += sizes.pitch;
    }
    return y;
}

double draw_head(canvas& on, const model::comparison& from, double y) {
    constexpr std::size_t most_lines = 5;
    for (const std::string& line : wrapped(model::disturbance_text(from), picture_width - 2 * margin, 13, false)) {
        on.text(margin, y + 13, line, {.size = 13, .fill = on.colours().ink});
        y += 20;
    }
    auto lines = wrapped(model::recommendation_for(from).sentence, picture_width - 2 * margin, 16, true);
    lines.resize(std::min(lines.size(), most_lines));
    for (const std::string& line : lines) {
        on.text(margin, y + 16, line, {.size = 16, .fill = on.colours().ink, .bold = true});
        y += 22;
    }
    on.text(margin, y + 14, circumstances_of(from), {.size = 12, .fill = on.colours().faint_ink});
    return y + 34;
}

double draw_notes(canvas& on, const model::comparison& from, double y) {
    for (const std::string& note : {model::reading_text(from), model::agreement_text(from), idle_text(from)})
        for (const std::string& line : wrapped(note, picture_width - 2 * margin, 11, false)) {
            on.text(margin, y + 11, line, {.size = 11, .fill = on.colours().faint_ink});
            y += 16;
        }
    return y;
}

} // namespace

std::string svg_chart(const model::comparison& from, const style& wanted) {
    canvas on(theme_of(wanted));
    double y = draw_head(on, from, 16);
    if (!from.configurations.empty()) {
        const double bars_end = draw_bars(on, from, y);
        const double plot_end = draw_speedup(on, from, {.left = 480, .right = 880, .top = y});
        y = draw_notes(on, from, std::max(bars_end, plot_end) + 8);
    }
    return on.finish(y + 10, "xcores: the same cell run in " + std::to_string(from.configurations.size()) + " ways",
                     model::recommendation_for(from).sentence);
}

} // namespace xcores::render
