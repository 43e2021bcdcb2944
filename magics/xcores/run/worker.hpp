// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include <xcores/run/worker_body.hpp>

namespace xcores::run {

/// A warm worker: a thread of ours that lives between cells, and the body that says where code runs.
///
/// - Thread: all members may be called from any; jobs run on the worker's thread, in order.
/// - Lifetime: shared; the thread keeps itself alive until retire() or abandon(), so that a worker left behind in the
/// middle
///   of user code never touches freed memory.
class worker : public std::enable_shared_from_this<worker> {
public:
    using job = std::function<void(worker&)>;

    static std::shared_ptr<worker> create(std::unique_ptr<worker_body> body);

    worker_body& body() noexcept { return *body_; }

    void give(job);

    /// Closes the body and ends the thread, after the jobs that were given.
    void retire();
    /// It did not stop when asked: it takes no more jobs, and ends by itself if ever its code returns.
    void abandon();
    bool usable() const;      ///< alive, and neither retired nor abandoned
    bool ending() const;      ///< retired without having been abandoned, and not at its end
    bool left_behind() const; ///< abandoned, and still in the middle of something
    bool ended() const;       ///< its thread is over
    std::int64_t serial() const noexcept { return serial_; } ///< the later it was made, the higher
    bool wait_until_ended(nanoseconds time) const;

    /// Only for the job under way.
    bool opened = false;
    std::atomic<bool> serves = false; ///< an executor: it waits for calls, or runs one

    /// Of an interpreter: by how much our process has grown for its start and for what it has kept of its tasks. Empty:
    /// unknown.
    std::optional<std::int64_t> memory_bytes() const noexcept;
    void set_memory(std::int64_t bytes) noexcept { memory_ = bytes; }
    void grow(std::int64_t bytes) noexcept; ///< or shrink; where nothing was known, nothing is

private:
    worker(std::unique_ptr<worker_body> body, std::int64_t serial) : body_(std::move(body)), serial_(serial) {}
    void loop() noexcept;
    void mark_ended() noexcept;

    static constexpr std::int64_t unknown = -1;

    std::unique_ptr<worker_body> body_;
    const std::int64_t serial_;
    std::atomic<std::int64_t> memory_ = unknown;
    mutable std::mutex mutex_;
    mutable std::condition_variable changed_;
    std::deque<job> jobs_;
    bool leaving_ = false;
    bool abandoned_ = false;
    bool ended_ = false;
};

/// What the workers of one kind are doing.
struct pool_state {
    int idle = 0;
    int busy = 0;                             ///< with a cell
    int serving = 0;                          ///< an executor
    int left_behind = 0;                      ///< abandoned, and still in the middle of something
    std::optional<std::int64_t> memory_bytes; ///< of the idle ones; empty when unknown for one
};

/// The workers of one kind that wait for work.
/// Thread: any.
class pool {
public:
    using factory = std::function<std::unique_ptr<worker_body>()>;
    explicit pool(factory make) : make_(std::move(make)) {}

    /// Warm ones first, in the order in which they were made; what is missing is made (and opens with its first job).
    std::vector<std::shared_ptr<worker>> acquire(int count);
    /// The same workers in the same places as the last time. In the place of a worker that has ended another one is
    /// kept from now on; in that of one that is busy another one works this time. Neither is one that is kept for
    /// another place.
    std::vector<std::shared_ptr<worker>> acquire_kept(int count);
    void give_back(std::shared_ptr<worker>); ///< one that cannot be used again is retired
    std::vector<std::shared_ptr<worker>> take_all();
    std::vector<std::shared_ptr<worker>> ending() const; ///< retired, and about to end
    void retire_idle();
    pool_state state() const;

    /// What a worker of this pool takes to start, which has been measured once more: the most so far, because a process
    /// grows less where it has memory to spare.
    std::int64_t start_memory(std::int64_t measured);

private:
    std::shared_ptr<worker> take(const std::shared_ptr<worker>& wanted);
    std::shared_ptr<worker> take_other_than(const std::vector<std::weak_ptr<worker>>& kept);
    std::shared_ptr<worker> made();

    factory make_;
    mutable std::mutex mutex_;
    std::vector<std::shared_ptr<worker>> idle_; ///< by serial number
    std::vector<std::weak_ptr<worker>> all_;
    std::vector<std::weak_ptr<worker>> kept_;
    std::int64_t start_memory_ = 0;
};

} // namespace xcores::run
