// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <memory>

#include <xcores/executors/process.hpp>

namespace xcores::test {

/// The Python that worker processes of these tests run, with the programs of tests/programs/plain_worker.py.
std::shared_ptr<const executors::python_description> worker_python();

} // namespace xcores::test
