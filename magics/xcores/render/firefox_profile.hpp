// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <nlohmann/json.hpp>

#include <xcores/model/report.hpp>

namespace xcores::render {

/// The report in the processed profile format of the Firefox Profiler (profiler.firefox.com), version 60, which later
/// versions of the tool upgrade. Each worker is a thread: its states are samples, two to a state, weighted in
/// milliseconds such that the call tree adds up to the report's figures; what happened to its GIL and core are markers
/// with the names and types that `profiling.sampling` of Python 3.15 gives them ("Has GIL", "No GIL", "Waiting for
/// GIL", "On CPU", "Off CPU"); phases are markers as well, and outcomes instant ones. Each GIL and each core is a
/// thread whose samples say which worker it had. Times are milliseconds from the start of the run. Pure: the same
/// report gives the same document. Source of the format: docs-developer/processed-profile-format.md and
/// CHANGELOG-formats.md of the Firefox Profiler.
nlohmann::json firefox_profile(const model::report&);

} // namespace xcores::render
