// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>

#include <xcores/model/format.hpp>
#include <xcores/model/summary.hpp>
#include <xcores/render/escape.hpp>
#include <xcores/render/svg_lanes.hpp>
#include <xcores/render/table.hpp>

namespace xcores::render {

namespace {

using model::interval;

constexpr std::size_t most_lanes = 512;

lane_sizes sizes_for(std::size_t lanes) {
    if (lanes <= 4)
        return {56, 32, 14, 13, 1};
    if (lanes <= 8)
        return {42, 23, 12, 12, 1};
    if (lanes <= 16)
        return {22, 18, 0, 11, 1};
    if (lanes <= 32)
        return {14, 11, 0, 10, 1};
    if (lanes <= 64)
        return {9, 7.5, 0, 9, 2};
    return {4, 3, 0, 9, 16};
}

std::vector<layer> activity_layers(const theme& colours) {
    std::vector<layer> layers;
    for (const activity what : all_activities)
        layers.push_back({weight_of(what), colours.fills[static_cast<std::size_t>(what)]});
    return layers;
}

void draw_phase(canvas& on, const std::optional<interval>& phase, const time_scale& scale, double y, double height,
                std::string_view fill, std::string_view word) {
    if (!is_visible(phase, scale))
        return;
    const double left = scale.x(phase->start);
    const double width = scale.x(phase->end) - left;
    on.box(left, y, width, height, fill, "stroke=\"#7B858F\" stroke-width=\"0.8\"");
    const double room = width_of_text(word, 11) + 10;
    if (width < room + 6 || height < 15)
        return;
    const double middle = left + width / 2;
    on.box(middle - room / 2, y + height / 2 - 8, room, 16, on.colours().card, "rx=\"3\"");
    on.text(middle, y + height / 2 + 4, word, {.size = 11, .fill = on.colours().ink, .at = anchor::middle});
}

void draw_phases(canvas& on, const model::worker_record& worker, const time_scale& scale, double y, double height) {
    draw_phase(on, worker.startup, scale, y, height, on.colours().startup, "start-up");
    draw_phase(on, worker.imports, scale, y, height, on.colours().imports, "import");
    draw_phase(on, worker.transfer_in, scale, y + height / 4, height / 2, on.colours().card, "in");
    draw_phase(on, worker.transfer_out, scale, y + height / 4, height / 2, on.colours().card, "out");
}

void draw_event(canvas& on, const model::worker_record& worker, const time_scale& scale, double y, double height) {
    const std::string event = event_of(worker);
    if (event.empty())
        return;
    const double x = scale.x(last_moment(worker));
    const double middle = y + std::min(height / 2, 10.5); // above what shows a worker that waits
    const double size = std::min(5.0, height / 2);
    if (height < 15) {
        draw_mark(on, std::clamp(x, scale.left + size, plot_right - size), middle, size);
        return;
    }
    const std::string words = clipped(event, 80);
    const double width = width_of_text(words, 11.5) + 30;
    const double left = std::max(scale.left + 2, x + 5 + width <= plot_right ? x + 5 : x - 5 - width);
    on.box(x - 1, y - 2, 2, height + 4, on.colours().ink);
    on.box(left, middle - 9.5, width, 19, on.colours().card, "rx=\"4\" stroke=\"#B3400B\" stroke-width=\"1.2\"");
    draw_mark(on, left + 12, middle, 4.5);
    on.text(left + 22, middle + 4.2, words, {.size = 11.5, .fill = on.colours().ink});
}

std::string hover_of(const model::worker_record& worker) {
    const std::string event = event_of(worker);
    std::string text = label_of(worker) + ": " +
                       (worker.lane != model::lane_kind::worker ? std::string(words_for(worker.lane))
                        : event.empty()                         ? std::string(model::name_of(worker.how.kind))
                                                                : event);
    if (worker.run)
        text += (worker.lane == model::lane_kind::worker ? "; ran " : "; seen for ") +
                model::duration(worker.run->length()) + ", " + model::duration(worker.cpu) + " of it on a core";
    return clipped(worker.result.empty() ? text : text + "; result " + worker.result, 120);
}

/// As much of a name as there is room for.
std::string fitted(const std::string& name, double room, double size) {
    std::size_t letters = width_of(name);
    while (letters > 1 && width_of_text(shortened(name, letters), size) > room)
        --letters;
    return shortened(name, letters);
}

void draw_name(canvas& on, const model::worker_record& worker, std::size_t position, const time_scale& scale, double y,
               const lane_sizes& sizes) {
    const auto& shades = on.colours().workers;
    const identity& who = shades[position % shades.size()];
    const std::string digits = std::to_string(worker.index);
    if (sizes.bar < 11) {
        on.text(scale.left - 8, sizes.baseline(y), digits,
                {.size = sizes.font, .fill = on.colours().ink, .at = anchor::end});
        return;
    }
    const double width = std::max(sizes.font + 5, width_of_text(digits, sizes.font) + 8);
    const double height = std::min(sizes.bar, sizes.font + 5);
    const double left = scale.left - 8 - width;
    on.box(left, y + (sizes.bar - height) / 2, width, height, who.fill, "rx=\"3\"");
    on.text(left + width / 2, sizes.baseline(y), digits, {.size = sizes.font, .fill = who.ink, .at = anchor::middle});
    const std::string words = worker.lane == model::lane_kind::worker ? "worker" : worker.name;
    on.text(left - 6, sizes.baseline(y), fitted(words, left - 6 - margin, sizes.font),
            {.size = sizes.font, .fill = on.colours().ink, .at = anchor::end});
}

/// All that is not a bar: written over the bars.
void draw_words(canvas& on, const model::report& from, std::size_t position, const time_scale& scale, double y,
                const lane_sizes& sizes) {
    const model::worker_record& worker = from.workers[position];
    if (sizes.strip > 0)
        draw_numbers(on, cores_under(worker), scale, y + sizes.bar + 2 + (sizes.strip - 2) / 2,
                     {.prefix = "core ",
                      .always_prefix = true,
                      .size = sizes.strip - 2.5,
                      .most = 6,
                      .inks = on.colours().cores});
    draw_event(on, worker, scale, y, sizes.bar);
    if (sizes.labels(position)) {
        draw_name(on, worker, position, scale, y, sizes);
        on.text(picture_width - margin, sizes.baseline(y), model::percent(model::cpu_share(worker)),
                {.size = sizes.font, .fill = on.colours().ink, .at = anchor::end, .bold = sizes.bar > 16});
    }
    if (sizes.bar > 5)
        on.hover(scale.left, y, plot_right - scale.left, sizes.bar + sizes.strip, hover_of(worker));
}

} // namespace

bool is_visible(const std::optional<interval>& phase, const time_scale& scale) {
    return phase && scale.x(phase->end) - scale.x(phase->start) >= 0.5;
}

double weight_of(activity what) {
    switch (what) {
    case activity::with_gil:
    case activity::without_gil:
    case activity::unclear:
    case activity::elsewhere:
    case activity::unknown:
        return 1;
    case activity::waiting_core:
    case activity::waiting_gil:
        return 0.45;
    case activity::blocked:
        break;
    }
    return 0.1;
}

void draw_mark(canvas& on, double x, double y, double size) {
    const std::string arm = number(size * 1.6);
    const std::string left = number(x - size * 0.8);
    on.lines("M" + left + " " + number(y - size * 0.8) + "l" + arm + " " + arm + "m0-" + arm + "l-" + arm + " " + arm,
             "#B3400B", 2);
}

std::string event_of(const model::worker_record& worker) {
    const model::outcome& how = worker.how;
    if (how.kind == model::outcome_kind::returned || how.kind == model::outcome_kind::pending ||
        how.message == model::stopped_for_an_item)
        return "";
    std::string text = how.kind == model::outcome_kind::raised      ? how.type
                       : how.kind == model::outcome_kind::timed_out ? "timed out"
                                                                    : std::string(model::name_of(how.kind));
    if (!how.message.empty())
        text += (text.empty() ? "" : ": ") + how.message;
    return how.abandoned ? text + " (left behind)" : text;
}

model::nanoseconds last_moment(const model::worker_record& worker) {
    const auto& last = worker.run ? worker.run : worker.transfer_in ? worker.transfer_in : worker.startup;
    return last ? last->end : model::nanoseconds{};
}

double draw_workers(canvas& on, const model::report& from, const time_scale& scale, double y) {
    const std::size_t lanes = std::min(from.workers.size(), most_lanes);
    if (lanes == 0)
        return y;
    const lane_sizes sizes = sizes_for(lanes);
    const std::string heading = "What each " + std::string(lane_noun(from)) + " did";
    draw_heading(on, y + 12, sizes.strip > 0 ? heading + ", and on which core" : heading, "CPU / run");
    y += 22;
    draw_grounds(on, scale, y, lanes, sizes);
    stack bars(activity_layers(on.colours()));
    stack strips(layers_of(on.colours().cores));
    const auto top = [&](std::size_t lane) { return y + static_cast<double>(lane) * sizes.pitch; };
    for (std::size_t i = 0; i < lanes; ++i) {
        const model::worker_record& worker = from.workers[i];
        draw_phases(on, worker, scale, top(i), sizes.bar);
        bars.add(activities_of(from, worker), scale, top(i) + sizes.bar, sizes.bar);
        if (sizes.strip > 0)
            strips.add(in_turn(cores_under(worker), on.colours().cores.size()), scale, top(i) + sizes.bar + sizes.strip,
                       sizes.strip - 2);
    }
    bars.paint(on);
    strips.paint(on);
    for (std::size_t i = 0; i < lanes; ++i)
        draw_words(on, from, i, scale, top(i), sizes);
    y = top(lanes);
    if (lanes < from.workers.size())
        y = draw_note(on, "and " + model::count(static_cast<std::int64_t>(from.workers.size() - lanes)) + " more", y);
    return y + 6;
}

} // namespace xcores::render
