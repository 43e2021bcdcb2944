// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <optional>

#include <xcores/model/report.hpp>
#include <xcores/os/lock_events.hpp>

namespace xcores::run {

using std::chrono::nanoseconds;

/// What the sampler asks about one worker's thread.
///
/// - Thread: one at a time, mostly the sampler's, between sampler::add() and sampler::remove().
/// - GIL: never takes one.
/// - Failure: says unknown; nothing throws, nothing allocates.
class probe {
public:
    virtual ~probe() = default;

    struct reading {
        nanoseconds cpu{-1}; ///< CPU time since some fixed moment; negative: unknown
        int core = -1;       ///< where it runs or last ran
        model::gil_state gil = model::gil_state::unknown;
        std::uint64_t handovers = 0; ///< of its GIL, from one thread to another, since some fixed moment; 0: unknown
    };
    virtual reading read() noexcept = 0;
    /// Of what read() tells, this alone.
    virtual nanoseconds cpu() noexcept { return read().cpu; }
    /// Reads anew what several probes share; read() takes it as it was at the latest sample.
    virtual void look_anew() noexcept {}

    /// What to record where that is possible.
    struct recordable {
        std::int64_t native_id = 0; ///< the system's number of the thread
        os::lock_parts gil;         ///< without a mutex: it has no GIL
        const void* code = nullptr; ///< of CPython, any
    };
    /// Nothing: this thread can only be sampled.
    virtual std::optional<recordable> what_to_record() const noexcept { return std::nullopt; }

    /// A number that is the same for threads of the same GIL; 0: unknown.
    virtual std::uintptr_t gil() const noexcept { return 0; }

    /// Expensive: only called for a thread that does not hold its GIL or made no progress. `waiting_core` means
    /// "runnable": whether it really waits for a core is for the caller, who knows the progress it made.
    virtual model::thread_state situation() noexcept = 0;
};

} // namespace xcores::run
