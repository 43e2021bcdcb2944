// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>

#include <xcores/cpython/object.hpp>
#include <xcores/run/payload.hpp>

/// Bytes of Python objects that are looked at from elsewhere, without a copy. A loan: the object stays in its
/// interpreter, and is let go there, by a thread that is attached to it.
namespace xcores::cpython {

/// A memoryview in the current interpreter on bytes that somebody else owns; it keeps the owner alive. Read-only,
/// unless the buffer is writable. Its `obj` has an attribute `constant`, as the buffer. GIL: attached. Failure: error.
object view_of(const run::buffer&);

/// lent: the object's owner goes on using it. given: nobody else looks at it, so what can be written to is writable.
enum class loan : std::uint8_t { lent, given };

/// Lends the bytes of an object with the buffer protocol. They stay where they are until the last owner of the buffer
/// is gone, which may happen on any thread without a GIL: the object itself is let go by the next release_buffers() of
/// its interpreter, which in the main interpreter comes by itself. GIL: attached. Failure: error (TypeError,
/// BufferError).
run::buffer buffer_of(PyObject* exporter, loan = loan::lent);

/// GIL: attached to the interpreter whose objects are to be let go.
void release_buffers() noexcept;

/// Whether somebody still looks at objects of this interpreter: it must not end before.
/// Thread: any. GIL: not needed.
bool lends(std::int64_t interpreter) noexcept;

/// How many bytes of this interpreter's objects are lent, or have come back and are still to be let go.
/// Thread: any. GIL: not needed.
std::int64_t lent_bytes(std::int64_t interpreter) noexcept;

/// Whether somebody looks at objects of any interpreter but the main one. Thread: any. GIL: not needed.
bool workers_lend() noexcept;

/// Waits until nobody looks at objects of this interpreter. GIL: called without. Thread: the one that is to end the
/// interpreter.
void await_returns(std::int64_t interpreter) noexcept;

/// Python is about to end, and with it every interpreter: those who wait for returns stay where they are.
void stop_awaiting_returns() noexcept;

} // namespace xcores::cpython
