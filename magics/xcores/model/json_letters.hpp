// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string_view>

/// What the writer and the reader of reports share.
namespace xcores::model {

// One letter a span, so that a long run stays short; the order is that of the enumerations.
inline constexpr std::string_view state_letters = "?rgcb";
inline constexpr std::string_view gil_letters = "?nh";

} // namespace xcores::model
