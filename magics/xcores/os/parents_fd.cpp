// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/os/parents_fd.hpp>

#include <array>
#include <mutex>

#include <pthread.h>
#include <unistd.h>

#include <xcores/os/fork_count.hpp>

namespace xcores::os {
namespace {

constexpr int none = 0;            // in the places below: a descriptor is kept as one more than it is
constexpr std::size_t most = 4096; ///< children keep what is beyond
constinit std::array<int, most> open_ones{};
constinit std::mutex changing; ///< guards these, and the descriptors themselves

void before_fork() noexcept {
    changing.lock();
}

void after_fork() noexcept {
    changing.unlock();
}

void after_fork_in_child() noexcept {
    for (int& each : open_ones) {
        if (each != none)
            ::close(each - 1);
        each = none;
    }
    changing.unlock();
}

std::unique_lock<std::mutex> lock() {
    [[maybe_unused]] static const int registered = ::pthread_atfork(before_fork, after_fork, after_fork_in_child);
    return std::unique_lock(changing);
}

void replace(int before, int after) noexcept {
    for (int& each : open_ones)
        if (each == before) {
            each = after;
            return;
        }
}

} // namespace

parents_fd::parents_fd(const std::function<unique_fd()>& open) : made_in_(fork_count()) {
    const auto guard = lock();
    fd_ = open();
    if (fd_)
        replace(none, fd_.get() + 1);
}

parents_fd::~parents_fd() {
    const auto guard = lock();
    if (made_in_ != fork_count()) {
        fd_.release(); // it is closed, and the number may be another's
    } else if (fd_) {
        replace(fd_.get() + 1, none);
        fd_.reset();
    }
}

} // namespace xcores::os
