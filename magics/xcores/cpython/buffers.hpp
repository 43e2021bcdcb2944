// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <xcores/cpython/object.hpp>
#include <xcores/run/payload.hpp>

namespace xcores::cpython {

/// A read-only memoryview in the current interpreter on bytes that somebody else owns; it keeps the owner alive.
/// GIL: attached. Failure: error.
object view_of(const run::buffer&);

/// The bytes of an object with the buffer protocol, without a copy. They stay where they are until the last owner is
/// gone, which may happen on any thread without a GIL: the object itself is let go by the next release_buffers() of its
/// interpreter. GIL: attached. Failure: error (TypeError, BufferError).
run::buffer buffer_of(PyObject* exporter);

/// The bytes of an object with the buffer protocol, copied, for when its interpreter may end first.
/// GIL: attached. Failure: error (TypeError, BufferError).
run::buffer copy_of(PyObject* exporter);

/// GIL: attached to the interpreter whose objects are to be let go.
void release_buffers() noexcept;

} // namespace xcores::cpython
