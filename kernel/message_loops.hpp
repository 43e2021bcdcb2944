// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "request_handler.hpp"
#include "shutdown.hpp"

#include <array>
#include <deque>
#include <functional>
#include <xeus-zmq/xcontrol_runner.hpp>
#include <xeus-zmq/xshell_runner.hpp>

namespace xcores::kernel {

/// What became of a request while it waited in the queue.
enum class fate { to_be_handled, aborted };

/// Reads the shell channel, on the main thread, and hands on one message at a time. While it waits, signals are let
/// through.
class shell_loop final : public xeus::xshell_runner {
public:
    using delivery = std::function<void(xeus::xmessage, fate)>;

    shell_loop(request_handler& handler, shutdown const& stop, delivery deliver)
        : handler_(handler), shutdown_(stop), deliver_(std::move(deliver)) {}

    /// Every execute_request that has arrived by now will be delivered as aborted. Called before the reply to the cell
    /// that failed is sent: whoever has seen that reply sends new requests, and those must run.
    void abort_waiting();

    /// The threads that this one makes between now and the loop's run are the server's, and bear that name: so
    /// `%%cores` can tell them from those of a cell.
    void name_threads_to_come();

    /// Waits until these threads sleep, two seconds at most: then what was published has been sent. A thread that has
    /// something to do does not sleep, and when xeus's publisher is stopped it forgets what it has not sent yet.
    static void wait_for_threads();

private:
    struct waiting {
        xeus::xmessage message;
        fate verdict;
    };

    void run_impl() override;
    bool step();
    bool answer_controller(std::string order);

    request_handler& handler_;
    shutdown const& shutdown_;
    delivery deliver_;
    std::deque<waiting> waiting_;
    std::array<char, 16> own_name_{};
};

/// Reads the control channel on a thread of its own, without the GIL, and can be stopped from any thread.
class control_loop final : public xeus::xcontrol_runner {
public:
    control_loop();
    ~control_loop() override;

private:
    void run_impl() override;
    void stop_impl() override;

    std::atomic<bool> stopped_ = false;
    int wake_; // eventfd
};

} // namespace xcores::kernel
