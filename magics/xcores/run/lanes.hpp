// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <map>
#include <set>

#include <xcores/run/recorder.hpp>

namespace xcores::run {

/// What only Python knows of its threads.
struct cast {
    std::map<std::int64_t, std::string> names; ///< by the system's number of the thread
    std::set<std::int64_t> hidden;             ///< threads that belong to the notebook, not to the cell
    std::int64_t main_thread = 0;
};

/// The report of a recording: one lane for each thread and process that did something. These are the main thread,
/// Python threads that began during the recording or held or waited for a GIL, processes that began during it, and all
/// others that used more CPU time than comes from being awake. A thread that ran in several interpreters is shown in
/// the one whose GIL it held longest. Pure.
model::report report_of(recording, const cast&, model::environment_record);

/// The same while the recording goes on.
model::report report_so_far(recording, const cast&, model::environment_record);

} // namespace xcores::run
