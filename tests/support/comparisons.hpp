// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <vector>

#include <xcores/model/comparison.hpp>

/// Comparisons for tests, on a machine of two cores.
namespace xcores::test {

model::configuration serially(std::vector<model::nanoseconds> walls);
model::configuration way(model::worker_kind, int workers, std::vector<model::nanoseconds> walls);
model::comparison comparison_of(model::work_reading, std::vector<model::configuration>);

model::comparison cpu_bound();
model::comparison waiting();
model::comparison data_heavy();
/// NumPy in a subinterpreter, with a name that would be a script.
model::comparison on_a_busy_machine();
model::comparison with_failures();
/// The user stopped it in its first round.
model::comparison interrupted();
model::comparison sixty_four_workers();

} // namespace xcores::test
