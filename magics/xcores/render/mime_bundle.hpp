// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <utility>

#include <nlohmann/json.hpp>

#include <xcores/model/comparison.hpp>
#include <xcores/model/report.hpp>
#include <xcores/render/run_pair.hpp>

/// What goes into display messages. The table and the picture are two outputs: in one bundle the HTML would hide the
/// PNG.
namespace xcores::render {

/// {"text/html", "text/plain"}
nlohmann::json table_bundle(const model::report&);

/// {"image/png" in base64, "text/plain", "application/vnd.xcores.run+json"}. The last is downsampled such that all that
/// a notebook file keeps of a run, its table included, stays under 200 KB; of a run with so many workers that even this
/// does not help it is left out. Failure: std::runtime_error as in `png`.
nlohmann::json picture_bundle(const model::report&);

/// The same two for a comparison; the picture's bundle has "application/vnd.xcores.comparison+json" as well.
nlohmann::json table_bundle(const model::comparison&);
nlohmann::json picture_bundle(const model::comparison&);

/// The message's metadata for a picture bundle: the size in units at which a picture of twice as many pixels is shown.
nlohmann::json picture_metadata(const nlohmann::json& bundle);

/// The same two for a pair of runs.
nlohmann::json table_bundle(const named_run& first, const named_run& second);
nlohmann::json picture_bundle(const named_run& first, const named_run& second);

/// A bundle of one of these pictures, and its metadata. `alt`: what it shows, in words. nbconvert writes that to the
/// page; JupyterLab 4.4 does not read it.
std::pair<nlohmann::json, nlohmann::json> with_metadata(nlohmann::json bundle, const std::string& alt);

/// {"text/html", "text/plain"} of the view while the run goes on.
nlohmann::json live_bundle(const model::report&);

std::string base64(std::string_view);

} // namespace xcores::render
