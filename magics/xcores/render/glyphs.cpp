// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/render/glyphs.hpp>

#include <array>

namespace xcores::render {

std::string_view glyph_for(activity what) {
    switch (what) {
    case activity::with_gil:
        return "█";
    case activity::without_gil:
        return "▓";
    case activity::elsewhere:
        return "▚";
    case activity::waiting_core:
        return "▒";
    case activity::waiting_gil:
        return "░";
    case activity::blocked:
        return "·";
    case activity::unknown:
        break;
    }
    return "?";
}

std::string key_to(const std::set<activity>& what) {
    std::string line;
    for (const activity one : what)
        line += std::string(glyph_for(one)) + " " + std::string(words_for(one)) + "   ";
    if (what.size() > 1)
        return line + "▄ mixed, height: running";
    return line.substr(0, line.find_last_not_of(' ') + 1);
}

glyph glyph_of(const coverage& shares, std::size_t column) {
    constexpr double most = 0.66;
    constexpr std::array<std::string_view, 7> heights{"▁", "▂", "▃", "▄", "▅", "▆", "▇"};
    double sum = 0;
    for (const activity what : all_activities)
        sum += shares.share(column, static_cast<std::size_t>(what));
    if (sum <= 0)
        return {" ", {}};
    for (const activity what : all_activities)
        if (shares.share(column, static_cast<std::size_t>(what)) >= most * sum)
            return {glyph_for(what), what};
    const double running = shares.share(column, static_cast<std::size_t>(activity::with_gil)) +
                           shares.share(column, static_cast<std::size_t>(activity::without_gil)) +
                           shares.share(column, static_cast<std::size_t>(activity::elsewhere));
    return {heights[static_cast<std::size_t>(running / sum * 6.99)], {}};
}

} // namespace xcores::render
