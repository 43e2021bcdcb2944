// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <array>
#include <string_view>

namespace xcores::kernel {

/// Sees to it that what a crash writes to a pipe that only this process reads is not lost with it: a last handler of
/// fatal signals copies it into the log. Python's faulthandler, enabled after start(), comes first and chains to it.
///
/// - Thread: start() and stop() on the main thread; note() on one at a time.
class crash_log {
public:
    /// `read_ends` are non-blocking.
    static void start(std::array<int, 2> read_ends, int log) noexcept;
    /// While one lives, the calling thread reads from a pipe: what it has read and not noted yet is in neither place,
    /// so that a crash of another thread waits for its end.
    class reading {
    public:
        reading() noexcept;
        ~reading();
        reading(reading const&) = delete;
        reading& operator=(reading const&) = delete;
    };

    /// Text that was read of late, and that perhaps nobody has seen yet.
    static void note(std::string_view text) noexcept;
    static void stop() noexcept;
};

} // namespace xcores::kernel
