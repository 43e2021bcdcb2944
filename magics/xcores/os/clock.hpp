// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <chrono>

#include <time.h>

namespace xcores::os {

using std::chrono::nanoseconds;

inline nanoseconds since_epoch(const timespec& time) {
    return std::chrono::seconds{time.tv_sec} + nanoseconds{time.tv_nsec};
}

inline nanoseconds read_clock(clockid_t clock) {
    timespec time{};
    return clock_gettime(clock, &time) == 0 ? since_epoch(time) : nanoseconds{-1};
}

/// The monotonic clock, which all processes of the machine share.
inline nanoseconds now() {
    return read_clock(CLOCK_MONOTONIC);
}

/// CPU time of the calling thread.
inline nanoseconds thread_cpu_time() {
    return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

} // namespace xcores::os
