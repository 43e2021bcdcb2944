// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace xcores {

/// How many bytes of `text` can be passed on without a cut inside a UTF-8 character at the end.
inline std::size_t whole_characters(std::string_view text) {
    const auto size = text.size();
    for (std::size_t back = 1; back <= std::min<std::size_t>(3, size); ++back) {
        const auto byte = static_cast<unsigned char>(text[size - back]);
        if ((byte & 0xC0U) == 0x80U) // a continuation: its start lies further back
            continue;
        const std::size_t length = byte >= 0xF0U ? 4 : byte >= 0xE0U ? 3 : byte >= 0xC0U ? 2 : 1;
        return length > back ? size - back : size;
    }
    return size;
}

} // namespace xcores
