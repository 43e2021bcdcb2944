// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <memory>
#include <string>

#include <xcores/run/worker_body.hpp>

namespace xcores::executors {

/// A worker that is a thread of the main interpreter: workers share its GIL, its modules and its objects.
std::unique_ptr<run::worker_body> make_thread_body();

/// Where the output of the calling thread goes, if it is a worker of the kind above while it runs a task; else empty.
run::output_sink& thread_output() noexcept;

/// A worker that is an interpreter of its own in this process, with a GIL of its own (PEP 684) or, as before Python
/// 3.12, under the main interpreter's. `worker_codes`: see cpython::worker_code::unmarshalled.
std::unique_ptr<run::worker_body> make_subinterpreter_body(std::shared_ptr<const std::string> worker_codes,
                                                           model::gil_choice = model::gil_choice::own);

} // namespace xcores::executors
