// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <memory>

#include <xcores/cpython/object.hpp>

namespace xcores::cpython {

/// A reference that code without Python may carry about and drop on any thread, with or without the GIL: dropped
/// without, the object is let go by the next release_held() of its interpreter.
/// GIL: made attached. The object may be used attached to the same interpreter only.
std::shared_ptr<void> hold(object owned);

/// A new reference to what hold() was given.
object held(const std::shared_ptr<void>&);

/// GIL: attached to the interpreter whose objects are to be let go.
void release_held() noexcept;

} // namespace xcores::cpython
