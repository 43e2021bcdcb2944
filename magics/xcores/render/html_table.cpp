// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/render/html_table.hpp>

#include <xcores/model/format.hpp>
#include <xcores/render/escape.hpp>
#include <xcores/render/table.hpp>

namespace xcores::render {

namespace {

constexpr std::size_t longest_outcome = 120;
constexpr std::string_view to_the_left = " style=\"text-align: left\"";
constexpr std::string_view to_the_right = " style=\"text-align: right\"";

std::string cell(std::string_view tag, std::string_view attributes, std::string_view content) {
    const std::string name(tag);
    return "<" + name + std::string(attributes) + ">" + std::string(content) + "</" + name + ">";
}

std::string head_of(const table& figures) {
    std::string line = "<thead><tr>" + cell("th", to_the_right, "worker") + cell("th", to_the_left, "result");
    for (const std::string& head : figures.heads)
        line += cell("th", to_the_right, escaped(head));
    return line + "</tr></thead>\n";
}

std::string outcome_cell(const row& from) {
    // An isolated direction: a right-to-left result must not turn the row round.
    const std::string words = "<bdi>" + escaped(clipped(from.outcome, longest_outcome)) + "</bdi>";
    return cell("td", to_the_left, from.returned ? "<code>" + words + "</code>" : "<b>✗ " + words + "</b>");
}

std::string line_of(const row& from) {
    std::string line = "<tr>" + cell("td", to_the_right, std::to_string(from.worker)) + outcome_cell(from);
    for (const std::string& figure : from.figures)
        line += cell("td", to_the_right, escaped(figure));
    return line + "</tr>\n";
}

} // namespace

std::string html_table(const model::report& from) {
    const table figures = table_of(from);
    std::string result = "<p><b>" + escaped(figures.caption) + "</b></p>\n";
    if (!figures.rows.empty())
        result += "<table>\n" + head_of(figures) + "<tbody>\n";
    for (const row& one : figures.rows)
        result += line_of(one);
    if (!figures.rows.empty())
        result += "</tbody>\n</table>\n";
    if (figures.left_out > 0)
        result += "<p>and " + model::count(static_cast<std::int64_t>(figures.left_out)) + " more workers</p>\n";
    result += "<p>";
    for (std::size_t i = 0; i < figures.totals.size(); ++i)
        result += (i == 0 ? "" : "<br>\n") + escaped(figures.totals[i]);
    return result + "</p>\n";
}

} // namespace xcores::render
