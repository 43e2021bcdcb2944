// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string_view>
#include <vector>

#include <xcores/model/report.hpp>

/// Runs of which it is known what they should look like. The golden tests keep them as files; these functions make the
/// files.
namespace xcores::test {

model::report ping_pong();              ///< two threads of CPU-bound Python: one GIL, handed over every 5 ms
model::report side_by_side();           ///< two interpreters of CPU-bound Python: a GIL and a core each
model::report crashed_process();        ///< two processes, one of which crashed half-way
model::report reading_and_waiting();    ///< two threads that mostly wait for I/O
model::report one_of_four_raised();     ///< four interpreters on two cores, one raised
model::report recorded();               ///< the first of these, recorded event by event
model::report importing();              ///< two processes, of which a new one imported what its data needs
model::report mapped();                 ///< two processes that did 1,200 items, 3 of which failed
model::report repeated();               ///< two interpreters, three times
model::report hostile_strings();        ///< everything a user can put into a report to break a renderer
model::report nobody();                 ///< zero workers
model::report all_unknown();            ///< nothing was measured
model::report one_sample();             ///< a run so short that each worker was seen once
model::report any_cell();               ///< no workers: threads of all kinds and a process under an ordinary cell
model::report many_workers(int number); ///< threads, each with a busy life
model::report ten_minutes();            ///< two threads, 120,000 hand-overs

struct scenario {
    std::string_view name;
    model::report report;
};

/// The runs small enough to be kept as files.
std::vector<scenario> scenarios();

} // namespace xcores::test
