// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "channels.hpp"
#include "request_handler.hpp"
#include "shutdown.hpp"

#include <atomic>
#include <deque>
#include <functional>
#include <span>

namespace xcores::kernel {

/// What became of a request while it waited in the queue.
enum class fate { to_be_handled, aborted };

/// Tells the loops to end. Thread: any.
class stop_signal {
public:
    stop_signal();
    ~stop_signal();
    stop_signal(stop_signal const&) = delete;
    stop_signal& operator=(stop_signal const&) = delete;

    void give();
    bool given() const noexcept { return given_; }
    int descriptor() const noexcept { return event_; } ///< readable once it was given

private:
    std::atomic<bool> given_ = false;
    int event_; // eventfd
};

/// Reads the shell channel, on the main thread, and hands on one message at a time. While it waits, signals are let
/// through.
class shell_loop {
public:
    using delivery = std::function<void(xeus::xmessage, fate)>;

    shell_loop(channels& sockets, request_handler& handler, shutdown const& asked, stop_signal const& stop,
               delivery deliver)
        : channels_(sockets), handler_(handler), shutdown_(asked), stop_(stop), deliver_(std::move(deliver)) {}

    void run(); ///< until it is told to end

    /// Every execute_request that has arrived by now will be delivered as aborted. Called before the reply to the cell
    /// that failed is sent: whoever has seen that reply sends new requests, and those must run.
    void abort_waiting();

private:
    struct waiting {
        xeus::xmessage message;
        fate verdict;
    };

    void step();

    channels& channels_;
    request_handler& handler_;
    shutdown const& shutdown_;
    stop_signal const& stop_;
    delivery deliver_;
    std::deque<waiting> waiting_;
};

/// Reads the control channel, on the thread that calls it, without the GIL, until it is told to end.
void run_control_loop(channels& sockets, stop_signal const& stop, std::function<void(xeus::xmessage)> const& deliver);

enum class signals { all, unchanged };

/// Waits until something may be there to read; false if one of the `allowed` signals came. The descriptors of sockets
/// tell of changes only, so the sockets must have been found empty before.
bool wait_for(std::span<int const> descriptors, signals allowed);

} // namespace xcores::kernel
