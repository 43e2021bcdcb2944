// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

/// What a user's cell produced, made safe to show: in text, in HTML and in SVG. Every string that is not ours passes
/// here.
namespace xcores::render {

/// Valid UTF-8 in which nothing is invisible: control characters become their pictures (␀ … ␛), bidirectional overrides
/// and zero-width characters their code (<U+202E>), broken bytes and non-characters the replacement character.
std::string visible(std::string_view);

/// `visible`, with the characters that mean something to HTML and XML written as entities.
std::string escaped(std::string_view);

/// At most `limit` characters of `visible(text)`, the last of them "…" if there were more.
std::string clipped(std::string_view text, std::size_t limit);

/// The same for names, which differ at their ends: "ThreadPoolEx…or-0_1".
std::string shortened(std::string_view text, std::size_t limit);

/// How many terminal columns this takes: wide East Asian characters and emoji take two, combining marks none.
std::size_t width_of(std::string_view);

/// With spaces before it, or behind it, to this many columns.
std::string padded_left(std::string_view, std::size_t width);
std::string padded_right(std::string_view, std::size_t width);

} // namespace xcores::render
