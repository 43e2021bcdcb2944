// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>

#include <xcores/os/fd.hpp>

namespace xcores::os {

/// A block of zeroed memory that a child process can map too. It has no name, so nothing can be left behind.
/// Failure: std::system_error.
class shared_memory {
public:
    static shared_memory create(std::size_t bytes);
    static shared_memory map(unique_fd fd, std::size_t bytes); ///< the same block, from an inherited descriptor

    shared_memory(shared_memory&& other) noexcept;
    shared_memory& operator=(shared_memory&&) = delete;
    ~shared_memory();

    void* data() const noexcept { return data_; }
    int fd() const noexcept { return fd_.get(); }

private:
    shared_memory(unique_fd fd, std::size_t bytes);
    unique_fd fd_;
    void* data_ = nullptr;
    std::size_t bytes_ = 0;
};

} // namespace xcores::os
