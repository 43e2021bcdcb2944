// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <set>

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

/// Sending it does not wait for the process to read.
bool goes_at_once(const run::call&);

/// The functions that a process was sent and still has.
class sent_functions {
public:
    /// What it knows of this one; from now on it knows it.
    functions before_sending(std::uint64_t number);
    void forget(std::uint64_t number) { known_.erase(number); }

private:
    std::set<std::uint64_t> known_;
    std::size_t sends_ = 0;
};

run::payload pack_call(const run::call&, functions);

struct unpacked_call {
    functions about;
    run::function what;
    std::vector<run::payload> inputs;
};
unpacked_call unpack_call(const run::payload&);

run::payload pack_answer(const run::answer&);
run::answer unpack_answer(const run::payload&, std::size_t calls); ///< to so many

} // namespace xcores::executors
