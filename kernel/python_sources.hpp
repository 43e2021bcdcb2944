// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <vector>

namespace xcores::kernel {

/// One module of the kernel's Python half (kernel/python), as text.
struct python_source {
    char const* module;
    char const* text;
};

/// In the order in which they import one another.
std::vector<python_source> const& python_sources();

} // namespace xcores::kernel
