// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <nlohmann/json.hpp>

#include <xcores/os/child_process.hpp>
#include <xcores/run/worker_body.hpp>

/// What a worker process reports of one task, as the fields of a message.
/// Failure: reading throws std::exception on what was not written here.
namespace xcores::executors {

nlohmann::json to_fields(const run::usage&, const run::reply&);
run::usage usage_from(const nlohmann::json& fields);
run::reply reply_from(const nlohmann::json& fields);      ///< without its payload
model::outcome_kind outcome_kind_of(std::int64_t number); ///< of something that has ended
model::outcome outcome_of(const os::exit_status&);        ///< of a process that ended before it could report

} // namespace xcores::executors
