// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <xcores/cpython/object.hpp>

/// A short form for values that are plain enough: None, bool, int, float, str, bytes, and lists and tuples of numbers.
/// It takes a fraction of the time of a pickle, and refuses everything whose identity could matter.
namespace xcores::cpython {

/// Appends `value`. False, with nothing appended, if it is not plain. GIL: attached.
bool append_plain(std::string& to, PyObject* value);

/// Takes one value from the front. GIL: attached. Failure: error.
object take_plain(std::string_view& from);

/// For what surrounds the values.
void append_number(std::string& to, std::uint64_t number);
std::uint64_t take_number(std::string_view& from);
std::string_view take_bytes(std::string_view& from, std::size_t size);

} // namespace xcores::cpython
