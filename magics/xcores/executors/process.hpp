// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <xcores/run/worker_body.hpp>

namespace xcores::executors {

/// How a worker process starts Python so that it sees what the parent sees.
struct python_description {
    std::string program; ///< of the worker: embeds the same version of Python
    std::string executable;
    std::string prefix;
    std::string base_prefix;
    std::vector<std::string> path; ///< sys.path
    std::string worker_source;     ///< text of `_worker.py`
};

/// A worker that is a process of its own: a small C++ program that embeds Python, started by posix_spawn, spoken to
/// over a socket. It ends with us, however we end.
std::unique_ptr<run::worker_body> make_process_body(std::shared_ptr<const python_description>);

} // namespace xcores::executors
