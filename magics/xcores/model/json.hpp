// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <nlohmann/json.hpp>

#include <xcores/model/report.hpp>

/// Reports as JSON and back. Keys carry units (`run_ns`); unknown is null. Spans are columns: delta-coded nanoseconds,
/// one letter per state, one per GIL state. `report_from_json(to_json(r)) == r` for every report.
namespace xcores::model {

nlohmann::json to_json(const report&);

nlohmann::json to_json(const std::optional<sampling_record>&);
std::optional<sampling_record> sampling_from_json(const nlohmann::json&); ///< Failure: as of report_from_json.

/// Failure: std::invalid_argument naming the key, for another schema, a missing key or a wrong type.
report report_from_json(const nlohmann::json&);

} // namespace xcores::model
