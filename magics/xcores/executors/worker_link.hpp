// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <atomic>
#include <cerrno>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <system_error>

#include <xcores/executors/output_pipe.hpp>
#include <xcores/executors/wire.hpp>
#include <xcores/executors/worker_process.hpp>
#include <xcores/os/event.hpp>

namespace xcores::executors {

/// The connection to one worker process, from its start to its end: a socket, and pipes for what it prints.
///
/// Nothing that the process sends can do harm here. What is not a message, or one that was not expected, ends the
/// process as a crash would: the user's code may write to any descriptor and any memory there.
///
/// - Thread: one, the worker's; send() on another with lock(); alive(), has_ended(), process() and wake() on any.
/// - Lifetime: may be opened again.
class worker_link {
public:
    /// What the process is to be given.
    struct far_ends {
        os::unique_fd socket;
        os::unique_fd output;
        os::unique_fd errors;
    };

    far_ends open();
    void attach(std::unique_ptr<worker_process>); ///< alive from here on
    void begin();                                 ///< before all else: what was given up was another process
    std::stop_token opening() const { return opening_.get_token(); }
    bool give_up() noexcept; ///< while it opens: the start, or the process, ends. Thread: any
    void close() noexcept;   ///< waits a moment for the process, and ends it

    int socket() const noexcept { return socket_.get(); }
    worker_process* process() const noexcept { return process_.get(); }
    bool alive() const noexcept { return !dead_; }
    bool has_ended() const noexcept; ///< the process, noticed by nobody so far. Thread: any
    const model::outcome& ending() const noexcept { return ending_; } ///< when it is not alive
    bool in_order() const noexcept { return complaint_.empty(); }     ///< it was not ended because of what it sent
    bool left_something_unread() const { return inbox_->left_something_unread(); }

    void print_to(run::output_sink sink) { sink_ = std::move(sink); }
    void wake() noexcept { look_.notify(); }
    std::unique_lock<std::mutex> lock() { return std::unique_lock(sending_); }

    void send(wire::kind what, const nlohmann::json& fields = {}, const wire::extras& with = {}) {
        unless_gone([&] { wire::send(socket_.get(), what, fields, with); });
    }
    /// When the process is gone, the wait for its answer will say how.
    template <typename Sending>
    static void unless_gone(Sending&& sending);

    enum class waiting { for_answer, parked };

    /// Passes output on until there is a message, or nothing when the process has ended (then ending() says how), or,
    /// for one that is parked, when there was a wake().
    std::optional<wire::message> wait_for_message(waiting how = waiting::for_answer);

    /// Does something with what the process sent. Whatever is wrong with that ends the process, and nothing else: then
    /// it is false, and ending() says why.
    template <typename Reading>
    bool understood(Reading&& reading);

    /// The same message. Failure: std::runtime_error if it is another.
    static const wire::message& expected(const wire::message&, wire::kind wanted);
    static std::string reason_of(const wire::message& failure);

private:
    struct activity {
        bool message;
        bool look;
    };
    void take_over(std::unique_ptr<worker_process>) noexcept;
    activity wait_for_activity(int look);
    void drain();
    void distrust(const std::exception&);
    void reap();

    mutable std::mutex process_mutex_; ///< for who asks while the worker's own thread replaces these
    std::unique_ptr<worker_process> process_;
    std::stop_source opening_;
    int handle_ = -1; ///< of the process, until it has been seen to have ended
    os::unique_fd socket_;
    std::optional<wire::inbox> inbox_;
    std::array<output_pipe, 2> pipes_;
    run::output_sink sink_;
    os::event look_;
    std::mutex sending_;
    std::atomic<bool> dead_ = true;
    model::outcome ending_;
    std::string complaint_; ///< why the process was ended
};

template <typename Sending>
void worker_link::unless_gone(Sending&& sending) {
    try {
        sending();
    } catch (const std::system_error& error) {
        if (error.code().value() != EPIPE && error.code().value() != ECONNRESET)
            throw;
    }
}

template <typename Reading>
bool worker_link::understood(Reading&& reading) {
    try {
        reading();
        return true;
    } catch (const std::exception& error) {
        distrust(error);
        return false;
    }
}

} // namespace xcores::executors
