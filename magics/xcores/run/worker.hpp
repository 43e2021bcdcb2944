// SPDX-License-Identifier: BSD-3-Clause
#pragma once

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
    bool usable() const; ///< alive, and neither retired nor abandoned
    bool wait_until_ended(nanoseconds time) const;

    /// Only for the job under way.
    bool opened = false;
    std::optional<std::int64_t> memory_bytes; ///< what opening it cost, for a body that shares our process

private:
    explicit worker(std::unique_ptr<worker_body> body) : body_(std::move(body)) {}
    void loop() noexcept;

    std::unique_ptr<worker_body> body_;
    mutable std::mutex mutex_;
    mutable std::condition_variable changed_;
    std::deque<job> jobs_;
    bool leaving_ = false;
    bool ended_ = false;
};

/// The workers of one kind that wait for work.
/// Thread: any.
class pool {
public:
    using factory = std::function<std::unique_ptr<worker_body>()>;
    explicit pool(factory make) : make_(std::move(make)) {}

    /// Warm ones first, in the order in which they were made; what is missing is made (and opens with its first job).
    std::vector<std::shared_ptr<worker>> acquire(int count);
    void give_back(std::shared_ptr<worker>); ///< one that cannot be used again is retired
    std::vector<std::shared_ptr<worker>> take_all();

private:
    factory make_;
    std::mutex mutex_;
    std::vector<std::shared_ptr<worker>> idle_;
};

} // namespace xcores::run
