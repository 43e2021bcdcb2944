// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <atomic>

#include <pthread.h>

namespace xcores::os {

namespace detail {
inline std::atomic<unsigned> forks = 0;
}

/// Changes in a child that was made by fork(2): what was made before then belongs to the parent. It costs a load,
/// where getpid(2) is a system call.
///
/// - Thread: any.
inline unsigned fork_count() noexcept {
    [[maybe_unused]] static const int registered =
        ::pthread_atfork(nullptr, nullptr, [] { detail::forks.fetch_add(1, std::memory_order_relaxed); });
    return detail::forks.load(std::memory_order_relaxed);
}

} // namespace xcores::os
