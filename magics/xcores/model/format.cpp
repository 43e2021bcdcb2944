// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/model/format.hpp>

#include <array>
#include <charconv>
#include <cmath>

namespace xcores::model {

namespace {

/// Three significant digits, never more than two places: 1.25, 12.3, 123.
std::string significant(double value) {
    const double size = std::abs(value);
    return fixed(value, size < 9.995 ? 2 : size < 99.95 ? 1 : 0);
}

std::string in_minutes(std::chrono::nanoseconds time) {
    const auto seconds = std::chrono::round<std::chrono::seconds>(time).count();
    const auto rest = seconds % 60;
    return count(seconds / 60) + " min" + (rest == 0 ? "" : " " + count(rest) + " s");
}

} // namespace

std::string fixed(double value, int places) {
    std::array<char, 400> buffer{};
    const auto end =
        std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::fixed, places);
    return {buffer.data(), end.ptr};
}

std::string duration(std::optional<std::chrono::nanoseconds> known) {
    if (!known)
        return std::string(unknown_text);
    const std::chrono::nanoseconds time = *known;
    const double value = static_cast<double>(time.count());
    const double size = std::abs(value);
    if (size < 999.5)
        return count(time.count()) + " ns";
    if (size < 999.5e3)
        return significant(value / 1e3) + " µs";
    if (size < 999.5e6)
        return significant(value / 1e6) + " ms";
    if (size < 119.95e9)
        return significant(value / 1e9) + " s";
    return in_minutes(time);
}

std::string round_duration(std::chrono::nanoseconds time) {
    std::string text = duration(time);
    const std::size_t point = text.find('.');
    if (point == std::string::npos)
        return text;
    const std::size_t unit = text.find(' ', point);
    const std::size_t last = text.find_last_not_of('0', unit - 1);
    text.erase(last == point ? point : last + 1, unit - (last == point ? point : last + 1));
    return text;
}

std::string bytes(std::optional<std::int64_t> size) {
    if (!size)
        return std::string(unknown_text);
    double value = static_cast<double>(*size);
    if (std::abs(value) < 1000)
        return count(*size) + " B";
    constexpr std::array<std::string_view, 4> units{" kB", " MB", " GB", " TB"};
    std::size_t unit = 0;
    for (value /= 1e3; std::abs(value) >= 999.5 && unit + 1 < units.size(); value /= 1e3)
        ++unit;
    return fixed(value, std::abs(value) < 99.95 ? 1 : 0) + std::string(units[unit]);
}

std::string percent(std::optional<double> share) {
    if (!share)
        return std::string(unknown_text);
    if (*share > 0 && *share < 0.005)
        return "<1 %";
    return fixed(*share * 100, 0) + " %";
}

std::string count(std::int64_t value) {
    std::array<char, 24> buffer{};
    const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
    std::string digits(buffer.data(), end.ptr);
    const std::ptrdiff_t first = value < 0 ? 1 : 0;
    for (std::ptrdiff_t at = std::ssize(digits) - 3; at > first; at -= 3)
        digits.insert(static_cast<std::size_t>(at), 1, ',');
    return digits;
}

std::string counted(std::int64_t number, std::string_view one, std::string_view many) {
    return count(number) + " " + std::string(number == 1 ? one : many);
}

} // namespace xcores::model
