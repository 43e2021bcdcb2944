// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <optional>
#include <system_error>

#include <xcores/os/clock.hpp>
#include <xcores/os/parents_fd.hpp>

namespace xcores::os {

/// What the kernel of the operating system records of one thread of this process: each time it gets a core or leaves
/// it, and its end (perf_event_open(2), PERF_RECORD_SWITCH and PERF_RECORD_EXIT).
///
/// An ordinary user may do that where /proc/sys/kernel/perf_event_paranoid is at most 2 and no seccomp filter forbids
/// the call.
///
/// - Thread: made on any; one at a time afterwards.
/// - GIL: not needed.
/// - Fork: the child has none of it. There, front() finds nothing.
/// - Failure: the constructor throws std::system_error: EACCES or EPERM where it is not allowed, ENOSYS where the
///   system has no such call, EMFILE, ENOMEM.
class thread_events {
public:
    enum class event : std::uint8_t {
        on_core,   ///< it got a core
        preempted, ///< it left its core although it could have run on
        off_core,  ///< it left its core of its own will
        ended,     ///< and is on a core for the last time
        lost,      ///< records were lost, so nothing is known since the one before
    };
    struct record {
        nanoseconds time{}; ///< by the monotonic clock
        event kind = event::lost;
        int core = -1;
    };

    /// Records from now on.
    explicit thread_events(std::int64_t native_id);
    ~thread_events();
    thread_events(const thread_events&) = delete;
    thread_events& operator=(const thread_events&) = delete;

    /// The oldest record that has not been taken out, in order of time; empty: there is none now.
    const std::optional<record>& front() noexcept;
    void pop() noexcept { next_.reset(); } ///< takes it out

    /// What has been recorded and not been taken out, without taking it out: how often the thread got a core, and for
    /// how long it had one until `until`. `on_core_since`: when it got the core that it had before these; empty: none.
    struct summary {
        std::int64_t switches = 0;
        nanoseconds on_core{};
    };
    summary ahead(std::optional<nanoseconds> on_core_since, nanoseconds until) const noexcept;

    /// Whether there was no room for what came after the last record. The next one is `lost` then, if anything was.
    bool is_full() const noexcept;

    /// Records nothing until resume(). What has been recorded stays.
    void pause() noexcept;
    void resume() noexcept;

    /// Why this thread could not be recorded now; no error: it could.
    static std::error_code refusal() noexcept;

private:
    std::optional<record> read() noexcept;
    template <typename Visitor>
    std::uint64_t visit(std::uint64_t position, Visitor&&) const noexcept;
    std::optional<record> parse(std::uint64_t position, std::uint16_t size) const noexcept;
    std::uint64_t word_at(std::uint64_t position) const noexcept;

    unsigned made_in_; ///< fork_count()
    const parents_fd switches_;
    void* ring_ = nullptr;
    std::optional<record> next_;
};

} // namespace xcores::os
