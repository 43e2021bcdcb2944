// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <xcores/model/report.hpp>
#include <xcores/os/futex.hpp>
#include <xcores/run/payload.hpp>

/// Calls of one function, for programs that hand out work piece by piece: what an executor's `submit` and `map` make.
/// Knows no Python: functions, arguments and results are payloads.
namespace xcores::run {

using std::chrono::nanoseconds;

/// What jobs call. A worker is sent it once, and knows it by its number then.
struct function {
    std::uint64_t number = 0;
    payload code;
    /// The code in another form, for a worker in this process that cannot import `module`; null: there is none.
    /// Thread: any. GIL: called without any.
    std::function<std::shared_ptr<const payload>(const std::string& module)> otherwise = {};
};

/// What a worker gives back for consecutive items of a job.
struct answer {
    std::size_t done = 0; ///< so many items have a result
    payload results;
    model::outcome how; ///< of the last of them; where it is not `returned`, of the item after them
    payload error;      ///< that item's exception, where it could be sent
};

/// One function and the items it is called with: one, or many that several workers share out among them.
///
/// - Thread: any.
/// - Lifetime: shared between who waits and who works.
class job {
public:
    enum class state : std::uint32_t { pending, running, ended, cancelled };

    /// `share`: how many items a worker takes at a time; 0: as many as seems best.
    job(std::shared_ptr<const function> what, std::vector<payload> items, std::size_t share = 0);

    std::size_t size() const noexcept { return size_; }
    std::size_t wanted_share() const noexcept { return share_; }

    const std::shared_ptr<const function>& what() const noexcept { return what_; }
    state now() const noexcept;

    /// Takes back what no worker has begun. True if that was all of it, now or earlier.
    bool cancel();

    /// Waits for the answer that begins with item `first`, or for the end of the job. Spins for a moment before it
    /// sleeps. GIL: called without any.
    os::futex::wake wait(std::size_t first, nanoseconds time);

    /// The answer that begins with item `first`; null when there is none (yet, or any more).
    std::shared_ptr<const answer> find(std::size_t first) const;
    void forget(std::size_t first); ///< that answer: it is not wanted any more

    /// Calls `watcher` once when the job has ended or was cancelled, on the thread that ends it; at once if it has.
    void when_over(std::function<void()> watcher);

    // For the queue

    std::size_t left() const; ///< items that nobody has begun

    struct share {
        std::size_t first = 0;
        std::vector<payload> inputs; ///< none: nothing is left
    };
    share claim(std::size_t most);
    void give_back(share); ///< claimed, but never begun
    void finish(std::size_t first, std::size_t count, nanoseconds took, answer);
    nanoseconds time_each() const; ///< of the items so far, the latest counting most; zero: unknown

private:
    std::vector<share> drop_rest();
    void change(std::unique_lock<std::mutex>, state);

    const std::shared_ptr<const function> what_;
    const std::size_t size_;
    const std::size_t share_;
    os::futex changes_; ///< the state, whether somebody sleeps, and a count of the changes
    mutable std::mutex mutex_;
    std::vector<payload> items_;
    std::size_t limit_;        ///< of the items that are to be run
    std::size_t claimed_ = 0;  ///< begun
    std::size_t finished_ = 0; ///< over
    nanoseconds each_{};
    std::map<std::size_t, std::shared_ptr<const answer>> answers_;
    std::vector<share> again_; ///< begun by nobody after all
    std::function<void()> watcher_;
};

/// What one worker has taken on.
struct call {
    std::shared_ptr<job> of;
    std::size_t first = 0;
    std::vector<payload> inputs;
    nanoseconds started{};

    explicit operator bool() const noexcept { return of != nullptr; }
};

/// Where a worker gets its calls.
///
/// - Thread: the worker's.
/// - GIL: wait() is called without any; the rest never waits.
class job_source {
public:
    virtual ~job_source() = default;
    virtual bool wait() = 0; ///< until there may be a call; false: serve no more

    /// Instead of wait(), for a worker that waits by itself: from now on whoever has a call hands it over with
    /// worker_body::take_on(). False: there is a call, or no more are to be served.
    virtual bool park() = 0;
    /// The end of that: what was handed over meanwhile, if anything.
    virtual std::shared_ptr<call> unpark() = 0;
    virtual bool closed() const = 0; ///< no more are to be served

    virtual bool has_more() const noexcept = 0;
    virtual call next() = 0; ///< one that is there; empty when others have taken it
    virtual void finish(call, answer) = 0;
    virtual void give_back(call) = 0; ///< this worker died before it began with it: another one shall
};

} // namespace xcores::run
