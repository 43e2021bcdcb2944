// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/render/escape.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <vector>

namespace xcores::render {

namespace {

constexpr char32_t broken = 0xFFFD;

struct range {
    char32_t first;
    char32_t last;
};

template <std::size_t N>
bool among(const std::array<range, N>& ranges, char32_t point) {
    return std::ranges::any_of(ranges, [&](const range& one) { return point >= one.first && point <= one.last; });
}

constexpr std::array<range, 10> invisible{{{0x80, 0x9F},
                                           {0xAD, 0xAD},
                                           {0x61C, 0x61C},
                                           {0x180E, 0x180E},
                                           {0x200B, 0x200C},
                                           {0x200E, 0x200F},
                                           {0x2028, 0x202E},
                                           {0x2060, 0x206F},
                                           {0xFEFF, 0xFEFF},
                                           {0xFFF9, 0xFFFB}}};

constexpr std::array<range, 8> zero_width{{{0x300, 0x36F},
                                           {0x483, 0x489},
                                           {0x591, 0x5BD},
                                           {0x64B, 0x65F},
                                           {0x1AB0, 0x1AFF},
                                           {0x200D, 0x200D},
                                           {0x20D0, 0x20FF},
                                           {0xFE00, 0xFE0F}}};

constexpr std::array<range, 9> double_width{{{0x1100, 0x115F},
                                             {0x2E80, 0x303E},
                                             {0x3041, 0xA4CF},
                                             {0xAC00, 0xD7A3},
                                             {0xF900, 0xFAFF},
                                             {0xFE30, 0xFE6F},
                                             {0xFF00, 0xFF60},
                                             {0x1F300, 0x1FAFF},
                                             {0x20000, 0x3FFFD}}};

/// The code point at the front of `text`, which loses at least one byte. Overlong forms and surrogates are broken.
char32_t take(std::string_view& text) {
    const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
    const std::uint8_t lead = byte(0);
    const std::size_t length = lead < 0x80   ? 1
                               : lead < 0xC2 ? 0
                               : lead < 0xE0 ? 2
                               : lead < 0xF0 ? 3
                               : lead < 0xF5 ? 4
                                             : 0;
    char32_t point = length == 1 ? lead : length == 0 ? 0 : lead & (0x7FU >> length);
    bool good = length > 0 && length <= text.size();
    for (std::size_t i = 1; good && i < length; ++i) {
        good = (byte(i) & 0xC0U) == 0x80;
        point = (point << 6U) | (byte(i) & 0x3FU);
    }
    constexpr std::array<char32_t, 5> least{0, 0, 0x80, 0x800, 0x10000};
    good = good && point >= least[length] && point <= 0x10FFFF && !(point >= 0xD800 && point <= 0xDFFF);
    text.remove_prefix(good ? length : 1);
    return good ? point : broken;
}

void append(std::string& to, char32_t point) {
    const auto byte = [&](char32_t bits) { to += static_cast<char>(static_cast<unsigned char>(bits)); };
    if (point < 0x80) {
        byte(point);
    } else if (point < 0x800) {
        byte(0xC0U | (point >> 6U));
        byte(0x80U | (point & 0x3FU));
    } else if (point < 0x10000) {
        byte(0xE0U | (point >> 12U));
        byte(0x80U | ((point >> 6U) & 0x3FU));
        byte(0x80U | (point & 0x3FU));
    } else {
        byte(0xF0U | (point >> 18U));
        byte(0x80U | ((point >> 12U) & 0x3FU));
        byte(0x80U | ((point >> 6U) & 0x3FU));
        byte(0x80U | (point & 0x3FU));
    }
}

void append_code(std::string& to, char32_t point) {
    std::array<char, 8> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), static_cast<std::uint32_t>(point), 16);
    std::string code(digits.data(), end.ptr);
    std::ranges::transform(code, code.begin(), [](char c) { return c >= 'a' ? static_cast<char>(c - 'a' + 'A') : c; });
    to += "<U+" + std::string(code.size() < 4 ? 4 - code.size() : 0, '0') + code + ">";
}

void append_visible(std::string& to, char32_t point) {
    constexpr char32_t control_pictures = 0x2400;
    constexpr char32_t picture_of_delete = 0x2421;
    if (point < 0x20)
        append(to, control_pictures + point);
    else if (point == 0x7F)
        append(to, picture_of_delete);
    else if (among(invisible, point) || (point >= 0xE0000 && point <= 0xE007F))
        append_code(to, point);
    else if ((point & 0xFFFEU) == 0xFFFE || (point >= 0xFDD0 && point <= 0xFDEF))
        append(to, broken);
    else
        append(to, point);
}

} // namespace

std::string visible(std::string_view text) {
    std::string result;
    result.reserve(text.size());
    while (!text.empty())
        append_visible(result, take(text));
    return result;
}

std::string escaped(std::string_view text) {
    std::string result;
    for (const char c : visible(text)) {
        switch (c) {
        case '&':
            result += "&amp;";
            break;
        case '<':
            result += "&lt;";
            break;
        case '>':
            result += "&gt;";
            break;
        case '"':
            result += "&quot;";
            break;
        case '\'':
            result += "&#39;";
            break;
        default:
            result += c;
        }
    }
    return result;
}

std::string clipped(std::string_view text, std::size_t limit) {
    // Only as much as can be needed is looked at: a result may be megabytes long.
    const std::string shown = visible(text.substr(0, 4 * limit + 4));
    std::string_view rest = shown;
    std::string result;
    std::size_t last = 0;
    for (std::size_t taken = 0; !rest.empty(); ++taken) {
        if (taken == limit)
            return result.substr(0, last) + "…";
        last = result.size();
        append(result, take(rest));
    }
    return result;
}

std::string shortened(std::string_view text, std::size_t limit) {
    constexpr std::size_t tail = 6;
    std::vector<std::string> letters;
    const std::string shown = visible(text);
    for (std::string_view rest = shown; !rest.empty();)
        append(letters.emplace_back(), take(rest));
    if (letters.size() <= limit || limit <= tail + 1)
        return clipped(text, limit);
    std::string result;
    for (std::size_t i = 0; i < letters.size(); ++i) {
        if (i == limit - tail - 1) {
            result += "…";
            i = letters.size() - tail;
        }
        result += letters[i];
    }
    return result;
}

std::size_t width_of(std::string_view text) {
    std::size_t width = 0;
    while (!text.empty()) {
        const char32_t point = take(text);
        width += among(zero_width, point) ? 0 : among(double_width, point) ? 2 : 1;
    }
    return width;
}

std::string padded_left(std::string_view text, std::size_t width) {
    const std::size_t used = width_of(text);
    return std::string(used < width ? width - used : 0, ' ') + std::string(text);
}

std::string padded_right(std::string_view text, std::size_t width) {
    const std::size_t used = width_of(text);
    return std::string(text) + std::string(used < width ? width - used : 0, ' ');
}

} // namespace xcores::render
