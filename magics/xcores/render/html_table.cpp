// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/render/html_table.hpp>

#include <xcores/model/format.hpp>
#include <xcores/render/escape.hpp>
#include <xcores/render/grid.hpp>
#include <xcores/render/table.hpp>

namespace xcores::render {

namespace {

using look = grid_cell::look;

constexpr std::size_t longest_label = 120;

/// Numbers to the right, names to the left.
look look_of_labels(const table& figures) {
    return figures.has_outcomes ? look::number : look::words;
}

std::vector<grid_cell> line_of(const table& figures, const row& from) {
    std::vector<grid_cell> line{{shortened(from.label, longest_label), look_of_labels(figures)}};
    if (figures.has_outcomes)
        line.push_back({from.outcome, from.returned ? look::code : look::failure});
    for (const std::string& figure : from.figures)
        line.push_back({figure});
    return line;
}

} // namespace

std::string html_table(const model::report& from) {
    const table figures = table_of(from);
    grid all{.caption = figures.caption, .heads = {{figures.first_head, look_of_labels(figures)}}};
    if (figures.has_outcomes)
        all.heads.push_back({"result", look::words});
    for (const std::string& head : figures.heads)
        all.heads.push_back({head});
    for (const row& one : figures.rows)
        all.rows.push_back(line_of(figures, one));
    if (figures.left_out > 0)
        all.left_out = "and " + model::count(static_cast<std::int64_t>(figures.left_out)) + " more workers";
    all.notes = figures.totals;
    return html_of(all);
}

} // namespace xcores::render
