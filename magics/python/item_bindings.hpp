// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <pybind11/pybind11.h>

namespace xcores::python {

/// `_engine.Items`: the items of a mapped cell on their way to the workers, and their results.
void define_items(pybind11::module_&);

} // namespace xcores::python
