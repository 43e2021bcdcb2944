// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <nlohmann/json.hpp>

#include <xcores/run/worker_body.hpp>

/// What a worker process reports of one task, as the fields of a message.
namespace xcores::executors {

nlohmann::json to_fields(const run::usage&, const run::reply&);
run::usage usage_from(const nlohmann::json& fields);
run::reply reply_from(const nlohmann::json& fields); ///< without its payload

} // namespace xcores::executors
