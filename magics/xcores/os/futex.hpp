// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <atomic>
#include <cstdint>

#include <xcores/os/clock.hpp>

namespace xcores::os {

/// A word that threads of this process can sleep on: what is under a condition variable, without its lock, and with a
/// sleep that ends when a signal is handled on the sleeping thread.
///
/// - Thread: any. The waker changes the word first; the sleeper looks again after every return.
class futex {
public:
    enum class wake { woken, timed_out, signalled };

    explicit futex(std::uint32_t value = 0) noexcept : word_(value) {}

    std::atomic<std::uint32_t>& word() noexcept { return word_; }
    const std::atomic<std::uint32_t>& word() const noexcept { return word_; }

    /// Sleeps while the word is `expected`, for `time` at most. It may also return for no reason.
    wake wait(std::uint32_t expected, nanoseconds time) const noexcept;
    void wake_one() const noexcept;
    void wake_all() const noexcept;

private:
    std::atomic<std::uint32_t> word_;
};

constexpr nanoseconds for_ever = std::chrono::hours{24 * 365};

} // namespace xcores::os
