// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string_view>

#include <xcores/cpython/buffers.hpp>
#include <xcores/cpython/object.hpp>
#include <xcores/run/payload.hpp>

/// How the arguments and results of jobs become payloads: plain values in their short form, the rest by the Python
/// functions `dumped(value) -> (bytes, buffers)` and `loaded(bytes, buffers) -> value`, with large data beside it.
///
/// - GIL: attached.
/// - Failure: null or false with a Python exception set, so that the exception itself can be passed on.
namespace xcores::cpython {

/// Appends one value.
bool append_value(run::payload& to, PyObject* value, PyObject* dumped, loan = loan::lent);

/// Appends what `dumped` gave: a tuple of bytes and a sequence of buffers.
bool append_pickle(run::payload& to, PyObject* dump, loan = loan::lent);

/// Takes the values out of a payload, one after the other.
class value_reader {
public:
    value_reader(const run::payload& from, PyObject* loaded) : rest_(from.data), from_(from), loaded_(loaded) {}

    bool at_end() const noexcept { return rest_.empty(); }
    object next() noexcept;

private:
    object next_pickled();

    std::string_view rest_;
    const run::payload& from_;
    std::size_t buffer_ = 0;
    PyObject* loaded_;
};

/// Arguments as a payload, and back: calls `callable` with them.
bool pack_arguments(run::payload& to, PyObject* positional, PyObject* named, PyObject* dumped);
object call_with(PyObject* callable, const run::payload& arguments, PyObject* loaded) noexcept;

} // namespace xcores::cpython
