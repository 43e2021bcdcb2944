// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/os/shared_memory.hpp>

#include <cerrno>
#include <system_error>

#include <sys/mman.h>

namespace xcores::os {

shared_memory shared_memory::create(std::size_t bytes) {
    unique_fd fd(memfd_create("xcores", MFD_CLOEXEC));
    if (!fd || ftruncate(fd.get(), static_cast<off_t>(bytes)) != 0)
        throw std::system_error(errno, std::generic_category(), "shared memory");
    return {std::move(fd), bytes};
}

shared_memory shared_memory::map(unique_fd fd, std::size_t bytes) {
    return {std::move(fd), bytes};
}

shared_memory::shared_memory(unique_fd fd, std::size_t bytes) : fd_(std::move(fd)), bytes_(bytes) {
    data_ = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd_.get(), 0);
    if (data_ == MAP_FAILED)
        throw std::system_error(errno, std::generic_category(), "mapping shared memory");
}

shared_memory::shared_memory(shared_memory&& other) noexcept
    : fd_(std::move(other.fd_)), data_(std::exchange(other.data_, nullptr)), bytes_(other.bytes_) {}

shared_memory::~shared_memory() {
    if (data_)
        munmap(data_, bytes_);
}

} // namespace xcores::os
