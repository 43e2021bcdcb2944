// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <atomic>

#include <sched.h>

#include <xcores/os/clock.hpp>

namespace xcores::run {

/// A place in the program where somebody waits for what is likely to come at once. A sleep and a wake-up cost several
/// microseconds, more than a tiny job takes; so it looks for a moment before it sleeps. Where looking was in vain it is
/// left out next time, and ever more often: then either nothing is to come, or all cores are busy, and who looks keeps
/// the one it waits for from running.
///
/// - Thread: any.
class lookout {
public:
    /// Looks until `waiting` is false, for a moment at most. True: it became false.
    template <typename Waiting>
    bool look_while(Waiting&& waiting) noexcept {
        if (!waiting())
            return true;
        if (!worth_it())
            return false;
        const auto until = os::now() + longest;
        do {
            for (int i = 0; i < looks_a_time; ++i) {
                if (!waiting())
                    return succeeded();
                relax();
            }
            ::sched_yield(); // the one it waits for may be queued on this very core
        } while (os::now() < until);
        return failed();
    }

private:
    static constexpr os::nanoseconds longest = std::chrono::microseconds{20};
    static constexpr int looks_a_time = 16;
    static constexpr int most_left_out = 128;

    static void relax() noexcept {
#if defined(__x86_64__)
        __builtin_ia32_pause();
#elif defined(__aarch64__)
        asm volatile("yield");
#endif
    }
    bool worth_it() noexcept;
    bool succeeded() noexcept;
    bool failed() noexcept;

    std::atomic<int> to_leave_out_ = 0;
    std::atomic<int> penalty_ = 0;
};

} // namespace xcores::run
