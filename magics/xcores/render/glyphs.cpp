// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/render/glyphs.hpp>

#include <array>
#include <vector>

#include <xcores/render/escape.hpp>

namespace xcores::render {

std::string_view glyph_for(activity what) {
    switch (what) {
    case activity::with_gil:
        return "█";
    case activity::without_gil:
        return "▓";
    case activity::unclear:
        return "▞";
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

std::string key_to(const std::set<activity>& what, const std::vector<std::string>& more) {
    constexpr std::size_t widest = 80;
    constexpr std::string_view gap = "   ";
    std::vector<std::string> entries;
    for (const activity one : what)
        entries.push_back(std::string(glyph_for(one)) + " " + std::string(words_for(one)));
    entries.insert(entries.end(), more.begin(), more.end());
    if (what.size() > 1)
        entries.emplace_back("▄ mixed, height: running");
    std::string lines;
    std::size_t used = 0;
    for (const std::string& entry : entries) {
        const std::size_t width = width_of(entry);
        if (!lines.empty()) {
            const bool fits = used + gap.size() + width <= widest;
            lines += fits ? gap : "\n";
            used = fits ? used + gap.size() : 0;
        }
        lines += entry;
        used += width;
    }
    return lines;
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
    double running = 0;
    for (const activity what : {activity::with_gil, activity::without_gil, activity::unclear, activity::elsewhere})
        running += shares.share(column, static_cast<std::size_t>(what));
    return {heights[static_cast<std::size_t>(running / sum * 6.99)], {}};
}

} // namespace xcores::render
