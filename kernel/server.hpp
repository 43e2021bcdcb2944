// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "message_loops.hpp"
#include "request_handler.hpp"
#include "shutdown.hpp"

#include <memory>
#include <mutex>
#include <set>
#include <xeus/xeus_context.hpp>
#include <xeus/xserver.hpp>

namespace xcores::kernel {

/// A server for xeus that keeps the protocol's promises: publishing is safe on any thread; each request gets exactly
/// one reply and one "idle", whatever is thrown on the way; a failed cell aborts the cells queued behind it, and only
/// those; a cell that waits for input can be interrupted. Nothing that a client sends can end the kernel: xeus-zmq's
/// own server takes the frames of a message for granted, and what is in them.
///
/// - Thread: publish() and stop() on any, all else on the shell (main) or control thread, as xeus does it.
/// - GIL: never needed; `handler` takes it.
class server final : public xeus::xserver {
public:
    server(xeus::xcontext& context, xeus::xconfiguration const& config, nlohmann::json::error_handler_t on_bad_text,
           request_handler& handler, shutdown const& stop);

    /// Sends a message to all clients. Does nothing before the kernel has started.
    void publish(std::string const& type, nlohmann::json parent_header, nlohmann::json content,
                 nlohmann::json metadata = nlohmann::json::object(), xeus::buffer_sequence buffers = {});

private:
    /// xeus passes messages for its debugger from the control to the shell thread. We have no debugger.
    class no_messenger final : public xeus::xcontrol_messenger {
        nlohmann::json send_to_shell_impl(nlohmann::json const&) override { return nlohmann::json::object(); }
    };

    /// The request on the shell channel that is being handled.
    struct current {
        xeus::xmessage::guid_list client;
        nlohmann::json header;
        bool stops_on_error = false;
        bool replied = false;
        bool idle = false;
    };

    void receive(xeus::xmessage message, fate verdict);
    void handle(xeus::xmessage message);
    void handle_control(xeus::xmessage message);
    void reply(nlohmann::json content);
    void publish_status(std::string const& state);
    std::optional<xeus::xmessage> exchange_input(std::optional<xeus::xmessage> question);
    void make_good() noexcept;
    bool belongs_to_current(nlohmann::json const& parent_header) const;

    xeus::xcontrol_messenger& get_control_messenger_impl() override;
    void send_shell_impl(xeus::xmessage message) override;
    void send_control_impl(xeus::xmessage message) override;
    void send_stdin_impl(xeus::xmessage message) override;
    void publish_impl(xeus::xpub_message message, xeus::channel channel) override;
    void start_impl(xeus::xpub_message message) override;
    void abort_queue_impl(listener const& ignored, long polling_interval) override;
    void stop_impl() override;
    void update_config_impl(xeus::xkernel_configuration& config) const override;

    request_handler& handler_;
    channels channels_;
    stop_signal stop_;
    shell_loop shell_loop_;
    no_messenger messenger_;
    std::mutex names_; // guards the next three, which are set once
    std::string topic_;
    std::string user_;
    std::string session_;
    std::optional<current> current_;
};

} // namespace xcores::kernel
