// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <Python.h>

#include <xcores/cpython/gil_access.h>
#include <xcores/os/lock_events.hpp>

namespace xcores::cpython {

/// The GIL at that address as a lock whose events can be recorded.
inline os::lock_parts gil_lock(const void* gil) noexcept {
    const auto parts = xcores_gil_parts_of(gil);
    return {parts.mutex, parts.switch_mutex, parts.condition, parts.locked};
}

/// An address in the program or library that contains CPython.
inline const void* cpython_code() noexcept {
    return reinterpret_cast<const void*>(&PyEval_RestoreThread);
}

} // namespace xcores::cpython
