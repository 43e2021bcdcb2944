// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// Numbers for people, the same in every renderer and in every locale. Refuses to show an unknown as a number: it is a
/// dash.
namespace xcores::model {

inline constexpr std::string_view unknown_text = "–";

/// "12.3 ms": a decimal number with this many places, '.' as the point, whatever the locale.
std::string fixed(double value, int places);

/// Three significant digits and a fitting unit: "850 ns", "12.3 ms", "1.25 s", "10 min 5 s".
std::string duration(std::optional<std::chrono::nanoseconds>);

/// For times that somebody chose: "1 ms", not "1.00 ms".
std::string round_duration(std::chrono::nanoseconds);

/// Decimal units: "512 B", "9.4 MB".
std::string bytes(std::optional<std::int64_t>);

/// "99 %"; anything between 0 and half a percent is "<1 %", so that only nothing looks like nothing.
std::string percent(std::optional<double> share);

/// "1,234,567".
std::string count(std::int64_t);

/// "1 core", "1,234 cores"
std::string counted(std::int64_t number, std::string_view one, std::string_view many);

} // namespace xcores::model
