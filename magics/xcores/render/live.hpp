// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>
#include <string_view>

#include <xcores/model/report.hpp>

/// The view while the run goes on, small enough to be sent several times a second. Each worker: its phase, what it did
/// in the last second, its share of a core.
///
/// What a report of a run that goes on must say: `wall` is empty and `elapsed` is now. A phase that has begun and not
/// ended has an `end` of `elapsed` (or later); a phase that has not begun is empty.
namespace xcores::render {

/// "starting", "importing, receiving", "waiting for the other workers", "running", "sending", or how it ended: "done",
/// "raised ZeroDivisionError". Not escaped.
std::string phase_of(const model::report&, const model::worker_record&);

/// One <pre> with inline colours only, so that an untrusted notebook shows it too.
std::string live_html(const model::report&);

std::string live_text(const model::report&);

} // namespace xcores::render
