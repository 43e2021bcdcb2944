// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <functional>

#include <nlohmann/json.hpp>

namespace xcores {

/// Sends the content of a display message, new or an update, under the cell it was made for: how the kernel lets the
/// engine show what goes on while some thread keeps the GIL. In Python it is a capsule, which
/// `xcores_bridge.display_channel()` makes. It returns how many outputs there are under the cell then, of which a new
/// display is the last.
///
/// - Thread: any.
/// - GIL: not needed, and not to be held: it waits for text that is being sent.
/// - Lifetime: any; from the end of the kernel on it does nothing.
using display_channel = std::function<std::uint64_t(bool update, nlohmann::json content)>;

inline constexpr const char* display_channel_name = "xcores.display_channel";

} // namespace xcores
