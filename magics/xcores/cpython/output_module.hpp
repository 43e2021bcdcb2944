// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <functional>
#include <string_view>

#include <xcores/cpython/object.hpp>
#include <xcores/run/worker_body.hpp>

namespace xcores::cpython {

/// Takes a worker's output; no text: what is held back is to be passed on. Thread: any of that worker's. GIL: called
/// without it.
using writer = std::function<void(run::stream, std::string_view)>;

/// Puts the builtin module `_xcores` into sys.modules of the current interpreter: `write(stream: int, text: str) ->
/// None`, `flush(stream: int) -> None` and restore_version_function(). GIL: attached. Lifetime: `write` lives as long
/// as the interpreter, which flushes its streams at its very end. Failure: error.
void add_output_module(writer write);

} // namespace xcores::cpython
