// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <optional>
#include <system_error>

#include <pthread.h>

#include <xcores/os/clock.hpp>

namespace xcores::os {

/// A lock as CPython's GIL is one (Python/ceval_gil.c): a word says whether it is taken; a mutex guards the word, and
/// threads that find it taken wait for a condition. One that was asked to give the lock away waits until another has
/// taken it: this has a mutex of its own, for `switching`.
struct lock_parts {
    const pthread_mutex_t* mutex = nullptr;
    const pthread_mutex_t* switching = nullptr;
    const pthread_cond_t* condition = nullptr;
    const int* taken = nullptr; ///< 0 or 1; only read while the mutex is held

    bool operator==(const lock_parts&) const = default;
};

/// When one thread of this process wants a lock, takes it, and gives it away, event by event.
///
/// The object that contains the lock's code calls pthread_mutex_lock() and its like through functions of ours, once
/// the first of these has been made. They note times in a buffer of the thread: 26 ns for each look at the clock on a
/// virtual machine; threads that are not recorded pay for a comparison (2 ns). No privilege is needed.
///
/// - Thread: made on any; one at a time afterwards.
/// - GIL: not needed.
/// - Lifetime: the lock need not exist for as long as this; the thread neither.
/// - Fork: the child records nothing of it; there it may be destroyed.
/// - Failure: the constructor throws std::system_error: as of replace_imports(); EAGAIN where too many threads are
///   recorded, EBUSY where this one is.
class lock_events {
public:
    static constexpr std::size_t most_threads = 256;
    static constexpr std::size_t capacity = 2048; ///< records of a thread

    enum class event : std::uint8_t {
        wants,
        takes,
        gives,
        rests, ///< no longer waits for another thread to take the lock: it wants the lock now, or is about to block
    };
    struct record {
        nanoseconds time{};   ///< by the monotonic clock
        nanoseconds wanted{}; ///< since when, where it takes the lock and has not said before that it wants it
        event kind = event::wants;
    };

    /// Records from now on. `code`: an address in the program or library whose code uses the lock.
    lock_events(std::int64_t native_id, const lock_parts&, const void* code);
    ~lock_events();
    lock_events(const lock_events&) = delete;
    lock_events& operator=(const lock_events&) = delete;

    /// The oldest record that has not been taken out; empty: there is none now.
    std::optional<record> front() const noexcept;
    void pop() noexcept; ///< takes it out

    /// Whether nothing has been recorded since the last record, for want of space.
    bool is_full() const noexcept;

    /// Forgets what was not taken out, and records nothing until resume().
    void pause() noexcept;
    void resume() noexcept; ///< also after it was full

    /// Why nothing could be recorded of code in that program or library; no error: it could.
    static std::error_code refusal(const void* code) noexcept;

private:
    struct buffer* buffer_;
    unsigned made_in_; ///< fork_count()
};

} // namespace xcores::os
