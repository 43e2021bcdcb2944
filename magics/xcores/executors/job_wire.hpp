// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <xcores/run/job.hpp>

/// Calls and their answers as one payload, for the way to a process and back.
/// Failure: reading throws cpython::error on what was not written here.
namespace xcores::executors {

/// What a process is told about functions with a call.
enum class functions : std::uint64_t {
    known,           ///< it was sent this one
    enclosed,        ///< here it is
    enclosed_afresh, ///< here it is, and forget the others
};

run::payload pack_call(const run::call&, functions);

struct unpacked_call {
    functions about;
    run::function what;
    std::vector<run::payload> inputs;
};
unpacked_call unpack_call(const run::payload&);

run::payload pack_answer(const run::answer&);
run::answer unpack_answer(const run::payload&);

} // namespace xcores::executors
