// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/render/html_table.hpp>

#include <xcores/model/format.hpp>
#include <xcores/render/grid.hpp>
#include <xcores/render/table.hpp>

namespace xcores::render {

namespace {

using look = grid_cell::look;

std::vector<grid_cell> line_of(const row& from) {
    std::vector<grid_cell> line{{std::to_string(from.worker)},
                                {from.outcome, from.returned ? look::code : look::failure}};
    for (const std::string& figure : from.figures)
        line.push_back({figure});
    return line;
}

} // namespace

std::string html_table(const model::report& from) {
    const table figures = table_of(from);
    grid all{.caption = figures.caption, .heads = {{"worker"}, {"result", look::words}}};
    for (const std::string& head : figures.heads)
        all.heads.push_back({head});
    for (const row& one : figures.rows)
        all.rows.push_back(line_of(one));
    if (figures.left_out > 0)
        all.left_out = "and " + model::count(static_cast<std::int64_t>(figures.left_out)) + " more workers";
    all.notes = figures.totals;
    return html_of(all);
}

} // namespace xcores::render
