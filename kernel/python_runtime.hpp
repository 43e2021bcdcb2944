// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <Python.h>

#include <filesystem>
#include <stdexcept>

namespace xcores::kernel {

/// CPython did not start; the text is PyStatus's own.
struct python_error : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// The embedded CPython, from its configuration to its end. It is configured like the `python3` of the same
/// installation, so that `sys.executable`, virtual environments and `multiprocessing` are as users know them.
///
/// - Thread: constructed and destroyed on the main thread.
/// - GIL: released when the constructor returns; taken again by the destructor, which runs the `atexit` handlers.
/// - Lifetime: one at a time; every Python object must be gone before it.
/// - Failure: python_error.
class python_runtime {
public:
    /// `executable` is this program's own file; packages installed beside it (../lib/pythonX.Y/site-packages) are
    /// found.
    explicit python_runtime(std::filesystem::path const& executable);
    ~python_runtime();
    python_runtime(python_runtime const&) = delete;
    python_runtime& operator=(python_runtime const&) = delete;

private:
    PyThreadState* main_thread_ = nullptr;
};

} // namespace xcores::kernel
