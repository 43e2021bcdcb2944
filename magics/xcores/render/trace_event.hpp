// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>

#include <xcores/model/report.hpp>

namespace xcores::render {

/// The report in the JSON object form of the Trace Event format, which Perfetto (ui.perfetto.dev) and chrome://tracing
/// open: a track for each worker with its phases and, in its run, its states; one for each GIL with who held it; one
/// for each core with who ran on it; outcomes as instant events; facts about the run as `otherData` and as arguments of
/// the slice "run". Timestamps are microseconds with a fraction, from the start of the run. Slices are pairs of B and E
/// events: their ends meet exactly, whatever a viewer rounds to. Process and thread ids are the system's where they are
/// known, and otherwise above Linux's largest. Each event is a line. Pure: the same report gives the same bytes.
/// Source of the format: "Trace Event Format", the Catapult project, and docs/getting-started/other-formats.md of
/// Perfetto.
std::string trace_event(const model::report&);

} // namespace xcores::render
