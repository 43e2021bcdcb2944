// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>

#include <fcntl.h>

#include <xcores/os/fd.hpp>

namespace xcores::os {

/// Reads memory of this process that another thread may free at any moment. The system copies it, and says so where
/// there is none; what was freed but is still there reads as anything, so the caller must check what it got.
///
/// - Thread: any.
class own_memory {
public:
    own_memory() noexcept : file_(::open("/proc/self/mem", O_RDONLY | O_CLOEXEC)) {}

    template <typename Value>
    bool read(std::uintptr_t address, Value& into) const noexcept {
        return file_ && ::pread(file_.get(), &into, sizeof into, static_cast<off_t>(address)) ==
                            static_cast<ssize_t>(sizeof into);
    }

private:
    unique_fd file_;
};

} // namespace xcores::os
