// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/os/futex.hpp>

#include <algorithm>
#include <cerrno>
#include <climits>

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace xcores::os {

static_assert(sizeof(std::atomic<std::uint32_t>) == sizeof(std::uint32_t) &&
              std::atomic<std::uint32_t>::is_always_lock_free);

futex::wake futex::wait(std::uint32_t expected, nanoseconds time) const noexcept {
    const auto whole = std::max(time, nanoseconds{0});
    const timespec limit{std::chrono::duration_cast<std::chrono::seconds>(whole).count(),
                         (whole % std::chrono::seconds{1}).count()};
    if (::syscall(SYS_futex, &word_, FUTEX_WAIT_PRIVATE, expected, &limit, nullptr, 0) == 0)
        return wake::woken;
    return errno == ETIMEDOUT ? wake::timed_out : errno == EINTR ? wake::signalled : wake::woken;
}

void futex::wake_one() const noexcept {
    ::syscall(SYS_futex, &word_, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
}

void futex::wake_all() const noexcept {
    ::syscall(SYS_futex, &word_, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
}

} // namespace xcores::os
