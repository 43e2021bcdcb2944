// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/render/text.hpp>

#include <algorithm>
#include <array>
#include <set>

#include <xcores/model/format.hpp>
#include <xcores/model/summary.hpp>
#include <xcores/render/escape.hpp>
#include <xcores/render/glyphs.hpp>
#include <xcores/render/svg_lanes.hpp>
#include <xcores/render/table.hpp>

namespace xcores::render {

namespace {

constexpr int least_columns = 40;
constexpr std::size_t most_lanes = 32;
constexpr std::size_t label_width = 10;
constexpr std::size_t named_label_width = 30;
constexpr std::size_t longest_failure = 400;

std::vector<std::size_t> widths_of(const table& from) {
    std::vector<std::size_t> widths;
    for (const std::string& head : from.heads)
        widths.push_back(width_of(head));
    for (const row& one : from.rows)
        for (std::size_t i = 0; i < widths.size(); ++i)
            widths[i] = std::max(widths[i], width_of(one.figures[i]));
    return widths;
}

std::string line_of(const std::vector<std::string>& cells, const std::vector<std::size_t>& widths) {
    std::string line;
    for (std::size_t i = 0; i < cells.size(); ++i)
        line += "  " + padded_left(cells[i], widths[i]);
    return line;
}

std::size_t width_of_labels(const table& from) {
    std::size_t width = width_of(from.first_head);
    for (const row& one : from.rows)
        width = std::max(width, std::min(width_of(visible(one.label)), named_label_width));
    return width;
}

/// A name comes with the number by which the cores' lines know it.
std::string lane_label(const model::report& from, std::size_t position) {
    const model::worker_record& one = from.workers[position];
    return one.lane == model::lane_kind::worker ? label_of(one) : std::to_string(one.index) + " " + one.name;
}

/// How a phase is written in the line of a worker.
struct phase_mark {
    std::optional<model::interval> model::worker_record::* phase;
    std::string_view mark;
    std::string_view words;
};

constexpr std::array phase_marks{phase_mark{&model::worker_record::startup, "-", "start-up"},
                                 phase_mark{&model::worker_record::imports, "+", "import"},
                                 phase_mark{&model::worker_record::transfer_in, "=", "transfer"},
                                 phase_mark{&model::worker_record::transfer_out, "=", "transfer"}};

/// True: it was long enough to be seen.
bool mark_phase(std::vector<std::string>& line, const std::optional<model::interval>& phase, const model::report& from,
                std::string_view mark) {
    if (!phase)
        return false;
    const coverage shares({{phase->start, phase->end, 0}}, extent_of(from), line.size(), 1);
    bool seen = false;
    for (std::size_t i = 0; i < line.size(); ++i)
        if (line[i] == " " && shares.share(i, 0) > 0.5) {
            line[i] = mark;
            seen = true;
        }
    return seen;
}

/// Notes the marks of phases that occur.
std::string worker_line(const model::report& from, const model::worker_record& worker, std::size_t columns,
                        std::set<std::string_view>& marks) {
    const coverage shares(activities_of(from, worker), extent_of(from), columns, activities);
    std::vector<std::string> line;
    for (std::size_t i = 0; i < columns; ++i)
        line.emplace_back(glyph_of(shares, i).text);
    for (const auto& [phase, mark, words] : phase_marks)
        if (mark_phase(line, worker.*phase, from, mark))
            marks.insert(mark);
    std::string result;
    for (const std::string& mark : line)
        result += mark;
    return result + (event_of(worker).empty() ? "" : "✗");
}

/// "- start-up"
std::vector<std::string> entries_for(std::set<std::string_view> marks) {
    std::vector<std::string> entries;
    for (const auto& [phase, mark, words] : phase_marks)
        if (marks.erase(mark) > 0)
            entries.push_back(std::string(mark) + " " + std::string(words));
    return entries;
}

/// The last digit of the worker that had the core most of the time.
std::string core_line(const model::report& from, int core, std::size_t columns) {
    constexpr std::size_t digits = 10;
    const coverage shares(in_turn(visits_to(from, core), digits), extent_of(from), columns, digits);
    std::string line;
    for (std::size_t i = 0; i < columns; ++i) {
        std::size_t first = 0;
        double sum = 0;
        for (std::size_t k = 0; k < digits; ++k) {
            sum += shares.share(i, k);
            first = shares.share(i, k) > shares.share(i, first) ? k : first;
        }
        line += sum > 0.25 ? static_cast<char>('0' + static_cast<int>(first)) : '.';
    }
    return line;
}

} // namespace

std::string text_table(const model::report& from, int columns) {
    const table figures = table_of(from);
    const auto widths = widths_of(figures);
    std::string result = visible(figures.caption) + "\n";
    const std::size_t label = width_of_labels(figures);
    const std::string head = padded_left(figures.first_head, label) + line_of(figures.heads, widths);
    if (!figures.rows.empty())
        result += "\n" + head + (figures.has_outcomes ? "  result\n" : "\n");
    const int wanted = std::max(columns, least_columns) - static_cast<int>(width_of(head)) - 4;
    const auto room = static_cast<std::size_t>(std::max(wanted, 24));
    std::string failures;
    for (const row& one : figures.rows) {
        const bool fits = one.returned || width_of(visible(one.outcome)) <= room;
        result += padded_left(shortened(one.label, label), label) + line_of(one.figures, widths);
        if (!figures.has_outcomes) {
            result += "\n";
            continue;
        }
        result +=
            std::string("  ") + (one.returned ? "" : "✗ ") + (fits ? clipped(one.outcome, room) : "(see below)") + "\n";
        if (!fits)
            failures += "worker " + one.label + ": " + clipped(one.outcome, longest_failure) + "\n";
    }
    if (figures.left_out > 0)
        result += "and " + model::count(static_cast<std::int64_t>(figures.left_out)) + " more workers\n";
    result += (failures.empty() ? "\n" : "\n" + failures + "\n");
    for (const std::string& line : figures.totals)
        result += visible(line) + "\n";
    return result;
}

std::string text_timeline(const model::report& from, int columns) {
    if (from.workers.empty())
        return "";
    const std::size_t names = from.kind == model::worker_kind::cores ? named_label_width : label_width;
    const auto width = static_cast<std::size_t>(std::max(columns, least_columns)) - names - 1;
    std::string result;
    std::set<std::string_view> marks;
    for (std::size_t i = 0; i < from.workers.size() && i < most_lanes; ++i)
        result += padded_right(shortened(lane_label(from, i), names - 1), names) +
                  worker_line(from, from.workers[i], width, marks) + "\n";
    if (from.workers.size() > most_lanes)
        result +=
            "and " + model::count(static_cast<std::int64_t>(from.workers.size() - most_lanes)) + " more workers\n";
    const std::vector<int> cores = cores_of(from);
    for (std::size_t i = 0; i < cores.size() && i < most_lanes; ++i)
        result += padded_right("core " + std::to_string(cores[i]), names) + core_line(from, cores[i], width) + "\n";
    const std::string end = model::duration(extent_of(from).end);
    result += std::string(names, ' ') + "0" + padded_left(end, width - 1) + "\n";
    return result + key_to(occurring(from), entries_for(marks)) + "\n";
}

std::string text(const model::report& from, int columns) {
    const std::string timeline = text_timeline(from, columns);
    return text_table(from, columns) + (timeline.empty() ? "" : "\n" + timeline);
}

} // namespace xcores::render
