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

/// A number and its unit stay in one line, also where styles are stripped.
std::string unbroken(std::string_view text) {
    std::string result;
    for (const char c : escaped(text))
        result += c == ' ' ? std::string("&nbsp;") : std::string(1, c);
    return result;
}

/// Numbers to the right, names to the left.
std::string_view side_of_labels(const table& figures) {
    return figures.has_outcomes ? to_the_right : to_the_left;
}

std::string head_of(const table& figures) {
    std::string line = "<thead><tr>" + cell("th", side_of_labels(figures), figures.first_head);
    if (figures.has_outcomes)
        line += cell("th", to_the_left, "result");
    for (const std::string& head : figures.heads)
        line += cell("th", to_the_right, unbroken(head));
    return line + "</tr></thead>\n";
}

std::string outcome_cell(const row& from) {
    const std::string words = escaped(clipped(from.outcome, longest_outcome));
    return cell("td", to_the_left, from.returned ? "<code>" + words + "</code>" : "<b>✗ " + words + "</b>");
}

std::string line_of(const table& figures, const row& from) {
    std::string line = "<tr>" + cell("td", side_of_labels(figures), escaped(shortened(from.label, longest_outcome)));
    if (figures.has_outcomes)
        line += outcome_cell(from);
    for (const std::string& figure : from.figures)
        line += cell("td", to_the_right, unbroken(figure));
    return line + "</tr>\n";
}

} // namespace

std::string html_table(const model::report& from) {
    const table figures = table_of(from);
    std::string result = "<p><b>" + escaped(figures.caption) + "</b></p>\n";
    if (!figures.rows.empty())
        result += "<table>\n" + head_of(figures) + "<tbody>\n";
    for (const row& one : figures.rows)
        result += line_of(figures, one);
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
