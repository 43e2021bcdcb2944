// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/render/svg_lanes.hpp>

#include <algorithm>

#include <xcores/model/format.hpp>
#include <xcores/model/summary.hpp>
#include <xcores/render/escape.hpp>
#include <xcores/render/table.hpp>

namespace xcores::render {

namespace {

constexpr std::size_t most_gil_ribbons = 8;
constexpr std::size_t most_core_lanes = 64;
constexpr std::size_t most_idle_core_lanes = 16;

lane_sizes sizes_for(std::size_t lanes) {
    if (lanes <= 4)
        return {26, 20, 0, 13, 1};
    if (lanes <= 16)
        return {18, 14, 0, 11, 1};
    return {9, 7.5, 0, 9, 2};
}

constexpr lane_sizes ribbon_sizes{36, 26, 0, 13, 1};

std::string ribbon_heading(const model::gil_record& gil) {
    std::string text = "Who held the GIL of " + clipped(with_article(gil.name), 40);
    if (gil.handovers)
        text += ": " + model::count(*gil.handovers) + (*gil.handovers == 1 ? " hand-over" : " hand-overs");
    return text;
}

bool is_any_core_known(const model::report& from) {
    return std::ranges::any_of(from.workers, [](const model::worker_record& worker) {
        return std::ranges::any_of(worker.spans, [](const model::span& one) { return one.core >= 0; });
    });
}

std::optional<double> busy_share(const model::report& from, const std::vector<stretch>& visits) {
    const auto running = model::totals_of(from).running;
    if (!running || running->length() <= model::nanoseconds{0} || !is_any_core_known(from))
        return std::nullopt;
    return coverage(in_turn(visits, 1), *running, 1, 1).share(0, 0);
}

/// Lanes that have names are known by their numbers alone where there is no room for names.
std::string_view prefix_of(const model::report& from) {
    return from.kind == model::worker_kind::cores ? "" : "worker ";
}

struct who_lane {
    std::string name;
    std::vector<stretch> who;
    std::vector<model::interval> unknown;
    std::string share;
};

/// Lanes that show who, not what.
double draw_who(canvas& on, const std::vector<who_lane>& lanes, std::string_view prefix, const time_scale& scale,
                double y, const lane_sizes& sizes) {
    const auto& shades = on.colours().workers;
    const auto top = [&](std::size_t lane) { return y + static_cast<double>(lane) * sizes.pitch; };
    draw_grounds(on, scale, y, lanes.size(), sizes);
    std::vector<layer> layers = layers_of(shades);
    layers.push_back({1, on.colours().fills[static_cast<std::size_t>(activity::unknown)]});
    stack bars(layers);
    for (std::size_t i = 0; i < lanes.size(); ++i) {
        std::vector<stretch> stretches = in_turn(lanes[i].who, shades.size());
        for (const model::interval& one : lanes[i].unknown)
            stretches.push_back({one.start, one.end, shades.size()});
        bars.add(stretches, scale, top(i) + sizes.bar, sizes.bar);
    }
    bars.paint(on);
    for (std::size_t i = 0; i < lanes.size(); ++i) {
        if (sizes.bar > 11)
            draw_numbers(on, undisputed(lanes[i].who), scale, top(i) + sizes.bar / 2,
                         {.prefix = prefix, .size = sizes.font - 1, .inks = shades});
        if (!sizes.labels(i))
            continue;
        on.text(scale.left - 8, sizes.baseline(top(i)), lanes[i].name,
                {.size = sizes.font, .fill = on.colours().ink, .at = anchor::end});
        const bool is_range = lanes[i].share.find("–", 1) != std::string::npos; // too wide in bold
        on.text(picture_width - margin, sizes.baseline(top(i)), lanes[i].share,
                {.size = sizes.font, .fill = on.colours().ink, .at = anchor::end, .bold = sizes.bar > 16 && !is_range});
    }
    return top(lanes.size());
}

std::string held_text(const model::report& from, const model::gil_record& gil) {
    const std::string words = model::held_words(from, gil);
    constexpr std::string_view before = "held ";
    constexpr std::string_view after = " of the time";
    if (words.empty())
        return std::string(model::unknown_text);
    std::string share = words.substr(before.size(), words.size() - before.size() - after.size());
    // The margin has room for "95–98 %". A range is no exact figure anyway.
    const bool is_range = share.find(" to ") != std::string::npos;
    for (const auto& [long_form, sign] :
         {std::pair{" to ", "–"}, {"about ", is_range ? "" : "~"}, {"over ", ">"}, {"under ", "<"}})
        if (const auto place = share.find(long_form); place != std::string::npos)
            share.replace(place, std::string_view(long_form).size(), sign);
    return share;
}

} // namespace

double draw_gils(canvas& on, const model::report& from, const time_scale& scale, double y) {
    std::size_t drawn = 0;
    for (const model::gil_record& gil : from.gils) {
        const bool alone = gil.workers.size() < 2 && from.kind != model::worker_kind::cores;
        if (alone || ++drawn > most_gil_ribbons)
            continue;
        draw_heading(on, y + 12, ribbon_heading(gil), "held");
        y = draw_who(on, {{"GIL", holds_of(from, gil), model::unclear_holding(from, gil), held_text(from, gil)}},
                     prefix_of(from), scale, y + 21, ribbon_sizes);
    }
    return y;
}

double draw_cores(canvas& on, const model::report& from, const time_scale& scale, double y) {
    const std::vector<int> cores = cores_of(from);
    if (cores.empty() || from.workers.empty())
        return y;
    std::vector<who_lane> lanes;
    for (const int core : cores) {
        std::vector<stretch> visits = visits_to(from, core);
        const std::optional<double> share = busy_share(from, visits);
        if (lanes.size() < most_core_lanes && (cores.size() <= most_idle_core_lanes || !visits.empty()))
            lanes.push_back({"core " + std::to_string(core), std::move(visits), {}, model::percent(share)});
    }
    draw_heading(on, y + 12, "Which " + std::string(lane_noun(from)) + " each core ran", "busy");
    y += 21;
    if (!lanes.empty())
        y = draw_who(on, lanes, prefix_of(from), scale, y, sizes_for(lanes.size()));
    if (lanes.size() < cores.size())
        y = draw_note(on, "and " + model::count(static_cast<std::int64_t>(cores.size() - lanes.size())) + " more cores",
                      y);
    return y + 6;
}

} // namespace xcores::render
