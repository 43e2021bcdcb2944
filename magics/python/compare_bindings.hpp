// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <pybind11/pybind11.h>

#include <xcores/model/report.hpp>

/// Comparisons, pairs of runs, and runs read from files, as Python sees them.
namespace xcores::python {

void define_comparison(pybind11::module_&);

/// One dictionary a worker: plain figures, times in seconds; None where unknown.
pybind11::list figures_of(const model::report&);

/// Failure: ValueError with the place.
model::report report_from_text(const std::string&);

} // namespace xcores::python
