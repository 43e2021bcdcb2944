// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <stdexcept>
#include <string>
#include <utility>

#include <Python.h>

namespace xcores::cpython {

/// Owns one reference. Move-only.
/// GIL: attached to the object's interpreter wherever it is not empty; release() it before leaving for good.
class object {
public:
    object() noexcept = default;
    explicit object(PyObject* owned) noexcept : pointer_(owned) {}
    object(object&& other) noexcept : pointer_(std::exchange(other.pointer_, nullptr)) {}
    object& operator=(object&& other) noexcept {
        std::swap(pointer_, other.pointer_);
        return *this;
    }
    ~object() { Py_XDECREF(pointer_); }

    PyObject* get() const noexcept { return pointer_; }
    explicit operator bool() const noexcept { return pointer_ != nullptr; }
    void reset() noexcept { Py_CLEAR(pointer_); }
    PyObject* release() noexcept { return std::exchange(pointer_, nullptr); }

private:
    PyObject* pointer_ = nullptr;
};

/// A Python exception as text, so that it can leave its interpreter.
class error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// Takes the current exception away and throws it as `error`: "ValueError: bad thing".
/// GIL: attached, with an exception set.
[[noreturn]] void throw_current();

/// The same as text. An empty string when there is none.
std::string take_current();

/// A new reference, or throws the current exception.
object checked(PyObject* owned);

/// As UTF-8; what cannot be encoded is replaced. Failure: throws error when it is not a string.
std::string text_of(PyObject* string);

} // namespace xcores::cpython
