// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <string>
#include <vector>

/// A table of words and numbers for people, and its two forms. Knows nothing of reports; nothing in it is escaped yet.
namespace xcores::render {

struct grid_cell {
    enum class look : std::uint8_t { number, words, code, failure };
    std::string text;
    look as = look::number;
};

struct grid {
    std::string banner{}; ///< to be read before the caption; empty: none
    std::string caption{};
    std::vector<grid_cell> heads{};
    std::vector<std::vector<grid_cell>> rows{};
    std::string left_out{}; ///< in place of rows that are too many; empty: none
    std::vector<std::string> notes{};
};

/// Takes out the columns, from `first` on, in which no row knows anything.
void drop_unknown_columns(grid&, std::size_t first);

/// One fragment that says the same where styles are stripped: all it uses is on GitHub's list of allowed HTML. Every
/// string is escaped.
std::string html_of(const grid&);

/// Aligned columns, words clipped to what is left of `columns`. Every line ends in '\n'.
std::string text_of(const grid&, int columns = 100);

} // namespace xcores::render
