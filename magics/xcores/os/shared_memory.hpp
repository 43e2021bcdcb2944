// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <memory>

#include <xcores/os/fd.hpp>

namespace xcores::os {

/// A block of zeroed memory that a child process can map too, of a size that nobody can change. It has no name, so
/// nothing can be left behind.
/// Failure: std::system_error.
class shared_memory {
public:
    static shared_memory create(std::size_t bytes);
    /// The same block, from an inherited descriptor, which is used up: from then on nobody can map or write it anew.
    static shared_memory map(unique_fd fd, std::size_t bytes);

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

/// Memory that this process fills for others to read: the system refuses every change by anybody else, and to change
/// its size. It has no name, so nothing can be left behind. Failure: std::system_error.
class shared_block {
public:
    explicit shared_block(std::size_t capacity);
    shared_block(const shared_block&) = delete;
    shared_block& operator=(const shared_block&) = delete;
    ~shared_block();

    std::byte* data() const noexcept { return data_; }
    std::size_t capacity() const noexcept { return capacity_; }
    int fd() const noexcept { return fd_.get(); }

    /// The bytes of such a block as the other side sees them. What is changed in them stays with this mapping: the
    /// system copies a page when it is written to (MAP_PRIVATE of mmap(2)). They stay as long as the pointer does; the
    /// descriptor is not needed for that. Failure: std::runtime_error for memory that others could change or shorten.
    static std::shared_ptr<std::byte> map(const unique_fd& fd, std::size_t size);

private:
    unique_fd fd_;
    std::byte* data_ = nullptr;
    std::size_t capacity_;
};

} // namespace xcores::os
