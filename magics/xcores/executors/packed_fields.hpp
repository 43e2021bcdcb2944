// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <span>

#include <nlohmann/json.hpp>

namespace xcores::executors::wire {

/// The fields of a message, which travel as MessagePack.
///
/// Failure: std::exception for what is not MessagePack, and for what is nested deeper than the fields of any message:
/// the library calls itself for each level, so that a few hundred kilobytes could use up the stack.
nlohmann::json unpacked(std::span<const std::uint8_t>);

} // namespace xcores::executors::wire
