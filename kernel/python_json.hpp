// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <nlohmann/json.hpp>
#include <pybind11/pybind11.h>

#include <string>
#include <xeus/xmessage.hpp>

namespace xcores::kernel {

/// Between Python objects and the JSON of messages. GIL: held.

/// UTF-8; what cannot be encoded (lone surrogates) is written as an escape.
std::string to_utf8(pybind11::handle text);

/// Bytes become base64, other iterables lists, dates ISO text, numbers of any library int or float.
/// Failure: TypeError, as pybind11::error_already_set or type_error, for what has no JSON form.
nlohmann::json to_json(pybind11::handle object);

pybind11::object to_python(nlohmann::json const& value);

/// None or any iterable of objects with a contiguous buffer.
xeus::buffer_sequence to_buffers(pybind11::handle objects);

/// Memoryviews of copies.
pybind11::list to_python(xeus::buffer_sequence const& buffers);

} // namespace xcores::kernel
