// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <xcores/os/clock.hpp>
#include <xcores/os/fd.hpp>

namespace xcores::os {

/// A wake-up that a signal can interrupt: this is why it is not a condition variable.
class event {
public:
    enum class wake { notified, timed_out, signalled };

    event(); ///< Failure: std::system_error

    /// Thread: any; async-signal-safe.
    void notify() noexcept;

    int fd() const noexcept { return fd_.get(); } ///< readable while a notification is pending

    /// Waits for notify(), for a signal handled on this thread, or for the time; a notification is consumed.
    wake wait(nanoseconds time) noexcept;

private:
    unique_fd fd_;
};

} // namespace xcores::os
