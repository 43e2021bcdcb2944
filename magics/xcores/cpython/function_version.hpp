// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <xcores/cpython/object.hpp>

namespace xcores::cpython {

/// A Python function `restore_version(function)`, to be called when a function that was put together from its parts is
/// complete.
///
/// CPython specialises calls by the version of a function. Only the instruction MAKE_FUNCTION gives it one, that of its
/// code; a function made otherwise has none, assigning `__defaults__` or the like takes it away, and its calls stay
/// unspecialised for good: a fifth slower for recursive code.
///
/// GIL: attached. Failure: error.
object restore_version_function();

} // namespace xcores::cpython
