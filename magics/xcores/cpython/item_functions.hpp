// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <memory>

#include <xcores/cpython/object.hpp>
#include <xcores/run/worker_body.hpp>

namespace xcores::cpython {

/// A feed as the Python half of a worker uses it: the tuple `(take, done)`.
///
///   take() -> (first: int, [(data: bytes, buffers: tuple), …]) or None: the next items; None when it is over
///   done(index: int, answer: tuple): how one ended, in the form that `collect` gives
///
/// GIL: attached; take() lets it go while it waits. Lifetime: the functions keep the feed. Failure: error.
object item_functions(std::shared_ptr<run::item_feed>);

} // namespace xcores::cpython
