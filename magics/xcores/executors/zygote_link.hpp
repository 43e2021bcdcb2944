// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>

#include <xcores/executors/process.hpp>
#include <xcores/executors/wire.hpp>

namespace xcores::executors {

/// This side of one zygote, from its start to its end. A zygote that does not answer in time is ended.
///
/// - Thread: await_ready(), load(), import_time() and fork() on one at a time; the rest on any.
/// - Lifetime: the zygote ends with it.
/// - Failure: std::exception when the zygote refuses or has ended.
class zygote_link : public std::enable_shared_from_this<zygote_link> {
public:
    explicit zygote_link(const python_description&); ///< returns at once

    /// It may be asked to load and fork: it lives, and has no threads.
    bool fit() const noexcept { return alive_ && fit_; }
    bool alive() const noexcept { return alive_; }

    void await_ready();

    /// Takes as long as the input does: end() it to have that end. False: it could not, and is perhaps not fit any
    /// more.
    bool load(const std::shared_ptr<const run::payload>& input, std::shared_ptr<const wire::shared_buffers>);
    run::nanoseconds import_time() const noexcept { return import_time_; } ///< how much of it imports took
    std::shared_ptr<const run::payload> loaded() const;                    ///< what was loaded last, usable or not
    bool holds(const std::shared_ptr<const run::payload>& input) const { return usable_ && loaded() == input; }
    void unload() noexcept; ///< not while it is asked something

    struct child {
        pid_t id;
        os::unique_fd handle;
    };
    child fork(const process_source::descriptors&);

    /// How a process that has ended did end; unknown where the zygote does not say in time.
    os::exit_status status_of(pid_t) noexcept;

    void forget(pid_t); ///< how it ends is not asked for

    /// By force, and what inputs have started there. Workers go on.
    void end() noexcept;

private:
    using clock = std::chrono::steady_clock;

    void send(wire::kind, const wire::extras& = {}, const nlohmann::json& fields = {});
    wire::message answer_of(wire::kind wanted, std::optional<clock::duration> patience);
    std::optional<wire::message> take(std::optional<clock::time_point> until);
    bool is_stopped() const; ///< by a signal: it will not answer
    void note(const nlohmann::json& fields);
    std::optional<os::exit_status> noted(pid_t);

    std::optional<os::child_process> process_;
    os::unique_fd socket_;
    std::timed_mutex speaking_; ///< to be held by who sends and receives
    std::optional<wire::inbox> inbox_;
    bool ready_ = false;
    run::nanoseconds import_time_{};
    mutable std::mutex mutex_; ///< guards what follows
    std::map<pid_t, os::exit_status> ended_;
    std::set<pid_t> forgotten_;
    std::weak_ptr<const run::payload> loaded_;
    std::shared_ptr<const wire::shared_buffers> shared_; ///< the zygote looks at them
    std::atomic<bool> usable_ = false;
    std::atomic<bool> alive_ = true;
    std::atomic<bool> fit_ = true;
};

} // namespace xcores::executors
