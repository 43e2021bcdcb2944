// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/os/event.hpp>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <system_error>

#include <poll.h>
#include <sys/eventfd.h>

namespace xcores::os {

event::event() : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (!fd_)
        throw std::system_error(errno, std::generic_category(), "eventfd");
}

void event::notify() noexcept {
    const std::uint64_t one = 1;
    // A full counter means that a notification is pending already, which is all we want.
    [[maybe_unused]] const auto written = ::write(fd_.get(), &one, sizeof one);
}

event::wake event::wait(nanoseconds time) noexcept {
    pollfd entry{fd_.get(), POLLIN, 0};
    const auto whole = std::max(time, nanoseconds{0});
    const timespec limit{std::chrono::duration_cast<std::chrono::seconds>(whole).count(),
                         (whole % std::chrono::seconds{1}).count()};
    const int ready = ppoll(&entry, 1, &limit, nullptr);
    if (ready < 0)
        return wake::signalled;
    if (ready == 0)
        return wake::timed_out;
    std::uint64_t count = 0;
    [[maybe_unused]] const auto taken = ::read(fd_.get(), &count, sizeof count);
    return wake::notified;
}

} // namespace xcores::os
