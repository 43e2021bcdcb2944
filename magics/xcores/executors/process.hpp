// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <xcores/executors/shared_inputs.hpp>
#include <xcores/executors/worker_process.hpp>
#include <xcores/run/worker_body.hpp>

namespace xcores::executors {

/// How a worker process starts Python so that it sees what the parent sees.
struct python_description {
    std::string executable; ///< a python3 of the same version; may be empty where there are no process workers
    std::string modules;    ///< the folder of `_process_worker`
    std::string prefix;
    std::string base_prefix;
    std::vector<std::string> path; ///< sys.path
    std::string worker_codes;      ///< see cpython::worker_code::unmarshalled
    std::string hash_seed = {};    ///< "PYTHONHASHSEED=…": equal keys hash alike in all workers; empty: as inherited
    std::shared_ptr<shared_inputs> inputs = std::make_shared<shared_inputs>();
};

/// Where a worker process finds its socket and the memory it samples itself into when it starts; it keeps neither
/// there.
constexpr int worker_socket_fd = 3;
constexpr int worker_log_fd = 4;

/// The command that starts one; `role`: "worker" or "zygote". Failure: std::runtime_error without an executable.
std::vector<std::string> command_of(const python_description&, const std::string& role);

/// What wire::kind::hello says.
nlohmann::json hello_of(const python_description&);

/// A worker that is a process of its own: another Python, spoken to over a socket. It ends with us, however we end.
/// `source`: how it is started; by itself anew (posix_spawn).
std::unique_ptr<run::worker_body> make_process_body(std::shared_ptr<const python_description>,
                                                    std::shared_ptr<process_source> source = nullptr);

} // namespace xcores::executors
