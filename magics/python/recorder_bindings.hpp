// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <pybind11/pybind11.h>

namespace xcores::python {

/// `Recorder`: everything that runs in this process and below it, as Python sees it.
void define_recorder(pybind11::module_&);

} // namespace xcores::python
