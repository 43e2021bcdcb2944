// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include <xcores/model/report.hpp>

namespace xcores::run {

using std::chrono::nanoseconds;

/// What one worker did, run-length encoded, of a fixed size however long the run: when it is full, what lies between
/// the points of a grid in time is forgotten, as if it had been sampled more rarely; each time, twice as rarely. Plain
/// data, so that it may lie in memory shared with a process.
///
/// - Thread: one writer (the sampler); readers anywhere, also in another process (a sequence lock).
class sample_log {
public:
    static constexpr std::size_t capacity = 30000; ///< 720 kB, touched as it fills

    /// In zeroed memory of its own, of which pages are taken as they are filled: a log of a short run is small.
    struct unmap {
        void operator()(sample_log*) const noexcept;
    };
    using owner = std::unique_ptr<sample_log, unmap>;
    static owner create(); ///< Failure: std::bad_alloc.

    void clear() noexcept;

    /// What held from `start` to `end`: seen at `end` and not before, or recorded.
    void append(nanoseconds start, nanoseconds end, model::thread_state, model::gil_state, int core) noexcept;

    /// The newest spans, `most` at most, with `origin` taken from their times. If the writer was killed while it wrote,
    /// without its last one.
    std::vector<model::span> spans(nanoseconds origin, std::size_t most = capacity) const;

private:
    struct entry {
        std::int64_t start_ns = 0;
        std::int64_t end_ns = 0;
        std::int32_t core = -1;
        model::thread_state state = model::thread_state::unknown;
        model::gil_state gil = model::gil_state::unknown;
    };
    /// An entry that may be read while it is written; the sequence tells whether what was read is whole.
    class place {
    public:
        entry get() const noexcept;
        void set(const entry&) noexcept;

    private:
        std::atomic<std::int64_t> start_ns_;
        std::atomic<std::int64_t> end_ns_;
        std::atomic<std::uint64_t> rest_;
    };
    std::vector<model::span> read(nanoseconds origin, std::size_t most) const;
    void push(const entry&) noexcept;
    void halve() noexcept;
    bool extend_last(const entry&) noexcept;

    mutable std::atomic<std::uint64_t> sequence_; ///< odd while being written
    std::atomic<std::uint64_t> count_;
    std::uint64_t offered_; ///< by append()
    std::int64_t step_ns_;  ///< of the grid: what lies under each of its points is kept; 0: all of it
    place places_[capacity];
};

static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

} // namespace xcores::run
