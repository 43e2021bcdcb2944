// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/os/shared_memory.hpp>

#include <cerrno>
#include <stdexcept>
#include <system_error>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

namespace xcores::os {
namespace {

constexpr int size_seals = F_SEAL_SHRINK | F_SEAL_GROW;
constexpr int seals = F_SEAL_FUTURE_WRITE | size_seals;

[[noreturn]] void refused(const char* what) {
    throw std::system_error(errno, std::generic_category(), what);
}

} // namespace

shared_memory shared_memory::create(std::size_t bytes) {
    unique_fd fd(memfd_create("xcores", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (!fd || ftruncate(fd.get(), static_cast<off_t>(bytes)) != 0)
        refused("shared memory");
    if (::fcntl(fd.get(), F_ADD_SEALS, size_seals) != 0) // reading beyond a new end would be a SIGBUS
        refused("sealing shared memory");
    return {std::move(fd), bytes};
}

shared_memory shared_memory::map(unique_fd fd, std::size_t bytes) {
    shared_memory made(std::move(fd), bytes);
    ::fcntl(made.fd_.get(), F_ADD_SEALS, F_SEAL_FUTURE_WRITE | F_SEAL_SEAL); // both sides have their mappings
    made.fd_.reset();
    return made;
}

shared_memory::shared_memory(unique_fd fd, std::size_t bytes) : fd_(std::move(fd)), bytes_(bytes) {
    data_ = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd_.get(), 0);
    if (data_ == MAP_FAILED)
        refused("mapping shared memory");
}

shared_memory::shared_memory(shared_memory&& other) noexcept
    : fd_(std::move(other.fd_)), data_(std::exchange(other.data_, nullptr)), bytes_(other.bytes_) {}

shared_memory::~shared_memory() {
    if (data_)
        munmap(data_, bytes_);
}

shared_block::shared_block(std::size_t capacity)
    : fd_(memfd_create("xcores data", MFD_CLOEXEC | MFD_ALLOW_SEALING)), capacity_(capacity) {
    if (!fd_ || ::ftruncate(fd_.get(), static_cast<off_t>(capacity)) != 0)
        refused("shared memory");
    void* start = ::mmap(nullptr, capacity, PROT_READ | PROT_WRITE, MAP_SHARED, fd_.get(), 0);
    if (start == MAP_FAILED)
        refused("mapping shared memory");
    data_ = static_cast<std::byte*>(start);
    if (::fcntl(fd_.get(), F_ADD_SEALS, seals) != 0) { // from here on nobody gets another mapping that can write
        ::munmap(data_, capacity_);
        refused("sealing shared memory");
    }
}

shared_block::~shared_block() {
    ::munmap(data_, capacity_);
}

std::shared_ptr<std::byte> shared_block::map(const unique_fd& fd, std::size_t size) {
    struct stat about{};
    if ((::fcntl(fd.get(), F_GET_SEALS) & seals) != seals || ::fstat(fd.get(), &about) != 0 ||
        static_cast<std::size_t>(about.st_size) < size)
        throw std::runtime_error("shared memory that is not sealed");
    // Hardly anybody changes all of it: no memory is set aside for that.
    void* start = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, fd.get(), 0);
    if (start == MAP_FAILED)
        refused("mapping shared memory");
    return {static_cast<std::byte*>(start), [size](std::byte* bytes) { ::munmap(bytes, size); }};
}

} // namespace xcores::os
