// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/render/live.hpp>

#include <algorithm>
#include <array>
#include <set>

#include <xcores/model/format.hpp>
#include <xcores/model/progress.hpp>
#include <xcores/model/summary.hpp>
#include <xcores/render/escape.hpp>
#include <xcores/render/glyphs.hpp>
#include <xcores/render/svg_lanes.hpp>
#include <xcores/render/table.hpp>

namespace xcores::render {

namespace {

using model::interval;
using model::nanoseconds;

constexpr nanoseconds recent = std::chrono::seconds{1};
constexpr std::size_t bar_columns = 40;
constexpr std::size_t most_workers = 32;
constexpr std::size_t least_name_width = 11;
constexpr std::size_t most_name_width = 25;
constexpr std::size_t phase_width = 24;
constexpr auto receiving = "importing, receiving"; ///< which of them took how long is known afterwards

/// Colours that can be read on white and on black.
constexpr std::array<std::string_view, activities> inks{"#1F83C4", "#3FA3DB", "#1F83C4", "#12936E",
                                                        "#B8608F", "#C98500", "#8A929C", "#8A929C"};

struct lane {
    std::string name;
    std::string phase;
    std::vector<glyph> bar;
    std::string share;
};

/// Without the time before the samples that were kept: it is not unknown, only past.
std::vector<stretch> recent_activities(const model::report& from, const model::worker_record& worker) {
    std::vector<stretch> activities = activities_of(from, worker);
    if (!worker.spans.empty())
        std::erase_if(activities, [&](const stretch& one) { return one.end <= worker.spans.front().start; });
    return activities;
}

lane lane_of(const model::report& from, const model::worker_record& worker) {
    const nanoseconds start = std::max(nanoseconds{0}, from.elapsed - recent);
    const coverage shares(recent_activities(from, worker), {start, std::max(from.elapsed, start + nanoseconds{1})},
                          bar_columns, activities);
    lane result;
    result.name = label_of(worker);
    result.phase = clipped(phase_of(from, worker), phase_width - 1);
    for (std::size_t i = 0; i < bar_columns; ++i)
        result.bar.push_back(glyph_of(shares, i));
    const auto share = model::cpu_share(worker);
    result.share = share ? model::percent(*share) + " of a core" : "";
    return result;
}

std::string head_of(const model::report& from) {
    const std::string progress = model::progress_text(from);
    return "%%" + std::string(model::name_of(from.kind)) + " " + std::to_string(from.workers.size()) + "   " +
           model::duration(from.elapsed) + (progress.empty() ? "" : "   " + progress);
}

std::size_t name_width_of(const model::report& from) {
    std::size_t width = least_name_width;
    for (std::size_t i = 0; i < from.workers.size() && i < most_workers; ++i)
        width = std::max(width, width_of(label_of(from.workers[i])) + 1);
    return std::min(width, most_name_width);
}

std::string padded(const std::string& text, std::size_t width) {
    const std::size_t used = width_of(text);
    return text + std::string(used < width ? width - used : 0, ' ');
}

/// Below its bar: the line that the worker has begun and not ended, such as a progress bar.
std::string open_line_of(const model::worker_record& worker, std::size_t names) {
    constexpr std::size_t columns = phase_width + bar_columns;
    if (worker.open_line.empty())
        return "";
    return std::string(names, ' ') + clipped(worker.open_line, columns) + "\n";
}

std::string escaped_line(std::string_view line) {
    return line.empty() ? "" : escaped(line.substr(0, line.size() - 1)) + "\n";
}

std::string more_than_shown(const model::report& from) {
    if (from.workers.size() <= most_workers)
        return "";
    return "and " + model::count(static_cast<std::int64_t>(from.workers.size() - most_workers)) + " more workers\n";
}

/// A mixed column has the colour of running, because that is what its height shows.
std::string_view ink_of(const glyph& one) {
    return inks[static_cast<std::size_t>(one.what.value_or(activity::with_gil))];
}

std::string coloured(const std::vector<glyph>& bar) {
    std::string result;
    for (std::size_t i = 0; i < bar.size();) {
        const std::string_view ink = ink_of(bar[i]);
        std::string run;
        for (; i < bar.size() && ink_of(bar[i]) == ink; ++i)
            run += bar[i].text;
        result += "<span style=\"color: " + std::string(ink) + "\">" + run + "</span>";
    }
    return result;
}

std::string key_of(const model::report& from) {
    std::set<activity> found;
    for (const model::worker_record& worker : from.workers)
        for (const stretch& one : recent_activities(from, worker))
            found.insert(static_cast<activity>(one.category));
    return found.empty() ? "" : key_to(found) + "\n";
}

std::string plain(const std::vector<glyph>& bar) {
    std::string result;
    for (const glyph& one : bar)
        result += one.text;
    return result;
}

} // namespace

std::string phase_of(const model::report& from, const model::worker_record& worker) {
    if (worker.how.kind == model::outcome_kind::returned)
        return worker.items ? "done: " + model::items_text(*worker.items) : "done";
    if (worker.how.kind != model::outcome_kind::pending)
        return event_of(worker);
    const auto is_open = [&](const std::optional<interval>& phase) { return phase && phase->end >= from.elapsed; };
    if (worker.transfer_out || (worker.run && !is_open(worker.run)))
        return "sending";
    if (worker.run)
        return worker.items ? "running: " + model::items_text(*worker.items) : "running";
    if (worker.transfer_in)
        return is_open(worker.transfer_in) ? receiving : "waiting for the other workers";
    return worker.startup && !is_open(worker.startup) ? receiving : "starting";
}

std::string live_html(const model::report& from) {
    const std::size_t names = name_width_of(from);
    std::string result = "<pre>" + escaped(head_of(from)) + "\n";
    for (std::size_t i = 0; i < from.workers.size() && i < most_workers; ++i) {
        const lane one = lane_of(from, from.workers[i]);
        result += escaped(padded(shortened(one.name, names - 1), names)) + escaped(padded(one.phase, phase_width)) +
                  coloured(one.bar) + "  " + one.share + "\n" + escaped_line(open_line_of(from.workers[i], names));
    }
    return result + more_than_shown(from) + key_of(from) + "</pre>\n";
}

std::string live_text(const model::report& from) {
    const std::size_t names = name_width_of(from);
    std::string result = head_of(from) + "\n";
    for (std::size_t i = 0; i < from.workers.size() && i < most_workers; ++i) {
        const lane one = lane_of(from, from.workers[i]);
        result += padded(shortened(one.name, names - 1), names) + padded(one.phase, phase_width) + plain(one.bar) +
                  "  " + one.share + "\n" + open_line_of(from.workers[i], names);
    }
    return result + more_than_shown(from) + key_of(from);
}

} // namespace xcores::render
