// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <memory>

#include <xcores/run/surroundings.hpp>

namespace xcores::cpython {

/// The threads of this process, Python's and others, and the processes below it. The engine's own threads are left out.
std::unique_ptr<run::surroundings> this_process();

} // namespace xcores::cpython
