// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <filesystem>
#include <string>

namespace xcores::kernel {

/// The `python3` that the kernel runs in: an active virtual environment's, the one beside us (as in a conda
/// environment), the one that we were built for, or the first on the path. Empty if there is none.
/// `executable` is this program's own file.
std::filesystem::path find_python(std::filesystem::path const& executable);

/// Becomes that Python, with the kernel in it; what Jupyter started goes on under the same process id.
///
/// A program of our own around libpython would need less, but Debian builds that library so that the same code takes
/// up to 1.7 times as long there as in its `python3`.
///
/// - Thread: the only one.
/// - Failure: returns never; throws std::system_error when the program cannot be started.
[[noreturn]] void become_python(std::filesystem::path const& python, std::filesystem::path const& executable,
                                std::string const& connection_file);

} // namespace xcores::kernel
