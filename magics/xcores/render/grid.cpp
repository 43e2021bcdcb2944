// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/render/grid.hpp>

#include <algorithm>
#include <numeric>

#include <xcores/model/format.hpp>
#include <xcores/render/escape.hpp>

namespace xcores::render {

namespace {

using look = grid_cell::look;

constexpr std::size_t longest_words = 120;
constexpr std::size_t least_words = 40;

/// A number and its unit stay in one line, also where styles are stripped.
std::string unbroken(std::string_view text) {
    std::string result;
    for (const char c : escaped(text))
        result += c == ' ' ? std::string("&nbsp;") : std::string(1, c);
    return result;
}

std::string inside(const grid_cell& cell) {
    const std::string words = escaped(clipped(cell.text, longest_words));
    switch (cell.as) {
    case look::code:
        return "<code>" + words + "</code>";
    case look::failure:
        return "<b>✗ " + words + "</b>";
    case look::words:
        return words;
    case look::number:
        break;
    }
    return unbroken(cell.text);
}

/// The division aligns words in JupyterLab, whose style sheet sets every cell to the right.
std::string html_cell(const std::string& tag, const grid_cell& cell) {
    if (cell.as == look::number)
        return "<" + tag + " align=\"right\">" + inside(cell) + "</" + tag + ">";
    return "<" + tag + " align=\"left\"><div align=\"left\">" + inside(cell) + "</div></" + tag + ">";
}

std::string html_line(const std::string& tag, const std::vector<grid_cell>& cells) {
    std::string line = "<tr>";
    for (const grid_cell& cell : cells)
        line += html_cell(tag, cell);
    return line + "</tr>";
}

std::string plain(const grid_cell& cell) {
    return (cell.as == look::failure ? "✗ " : "") + visible(cell.text);
}

/// As wide as the widest cell; columns of words share what the numbers leave of the line.
std::vector<std::size_t> widths_of(const grid& from, int columns) {
    std::vector<std::size_t> widths;
    for (const grid_cell& head : from.heads)
        widths.push_back(width_of(head.text));
    for (const auto& row : from.rows)
        for (std::size_t i = 0; i < widths.size() && i < row.size(); ++i)
            widths[i] = std::max(widths[i], width_of(plain(row[i])));
    const std::size_t all = std::accumulate(widths.begin(), widths.end(), 2 * widths.size());
    const auto room = static_cast<std::size_t>(std::max(columns, 0));
    for (std::size_t i = 0; i < widths.size(); ++i)
        if (from.heads[i].as != look::number && all > room)
            widths[i] = std::max(std::min(widths[i], least_words), widths[i] - std::min(widths[i], all - room));
    return widths;
}

std::string text_line(const std::vector<grid_cell>& cells, const std::vector<std::size_t>& widths) {
    std::string line;
    for (std::size_t i = 0; i < cells.size() && i < widths.size(); ++i) {
        const bool number = cells[i].as == look::number;
        const std::string words = clipped(plain(cells[i]), widths[i]);
        line += (i == 0 ? "" : "  ") + (number ? padded_left(words, widths[i]) : padded_right(words, widths[i]));
    }
    line.erase(line.find_last_not_of(' ') + 1);
    return line + "\n";
}

} // namespace

void drop_unknown_columns(grid& from, std::size_t first) {
    for (std::size_t i = from.heads.size(); i-- > first;) {
        const auto known = [i](const std::vector<grid_cell>& row) {
            return !row[i].text.empty() && row[i].text != model::unknown_text;
        };
        if (std::ranges::any_of(from.rows, known))
            continue;
        const auto column = static_cast<std::ptrdiff_t>(i);
        from.heads.erase(from.heads.begin() + column);
        for (auto& row : from.rows)
            row.erase(row.begin() + column);
    }
}

std::string html_of(const grid& from) {
    std::string result = from.banner.empty() ? "" : "<p>⚠ " + escaped(from.banner) + "</p>\n";
    result += "<p><b>" + escaped(from.caption) + "</b></p>\n";
    if (!from.rows.empty())
        result += "<table>\n<thead>" + html_line("th", from.heads) + "</thead>\n<tbody>\n";
    for (const auto& row : from.rows)
        result += html_line("td", row) + "\n";
    if (!from.rows.empty())
        result += "</tbody>\n</table>\n";
    if (!from.left_out.empty())
        result += "<p>" + escaped(from.left_out) + "</p>\n";
    if (from.notes.empty())
        return result;
    result += "<p>";
    for (std::size_t i = 0; i < from.notes.size(); ++i)
        result += (i == 0 ? "" : "<br>\n") + escaped(from.notes[i]);
    return result + "</p>\n";
}

std::string text_of(const grid& from, int columns) {
    const auto widths = widths_of(from, columns);
    std::string result = from.banner.empty() ? "" : visible(from.banner) + "\n";
    result += visible(from.caption) + "\n";
    if (!from.rows.empty())
        result += "\n" + text_line(from.heads, widths);
    for (const auto& row : from.rows)
        result += text_line(row, widths);
    if (!from.left_out.empty())
        result += visible(from.left_out) + "\n";
    if (!from.notes.empty())
        result += "\n";
    for (const std::string& note : from.notes)
        result += visible(note) + "\n";
    return result;
}

} // namespace xcores::render
