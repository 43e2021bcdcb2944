// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <xcores/render/activity.hpp>

/// Timelines of characters, for terminals and for the view while the run goes on.
namespace xcores::render {

struct glyph {
    std::string_view text;
    std::optional<activity> what; ///< empty: several, or nothing

    bool operator==(const glyph&) const = default;
};

/// The character for a column: that of the activity which takes most of it, else a block as high as the share spent
/// running.
glyph glyph_of(const coverage&, std::size_t column);

/// The character that stands for nothing but this.
std::string_view glyph_for(activity);

/// "█ running with the GIL   ░ waiting for the GIL   ▄ mixed, height: running", on as many lines as it needs. `more`:
/// further entries, before that of what is mixed.
std::string key_to(const std::set<activity>&, const std::vector<std::string>& more = {});

} // namespace xcores::render
