// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <pybind11/pybind11.h>

#include <xcores/executors/engine.hpp>

/// What the sources of `xcores._engine` share.
namespace xcores::python {

namespace py = pybind11;

constexpr int worker_limit = 256;

/// Failure: std::runtime_error before `configure()`.
executors::engine& configured_engine();

// Failure: py::value_error
model::worker_kind kind_named(const std::string& name);
model::gil_choice gil_named(const std::string& name);
model::start_method start_method_named(const std::string& name);

std::chrono::nanoseconds seconds(double value);

/// The classes behind `xcores.executors`.
void define_executors(py::module_&);
void forget_executors(); ///< in the child of a fork: what they had is the parent's

} // namespace xcores::python
