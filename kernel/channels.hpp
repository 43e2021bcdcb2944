// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "message_frames.hpp"

#include <array>
#include <mutex>
#include <optional>
#include <thread>
#include <xeus/xkernel_configuration.hpp>

namespace xcores::kernel {

/// The channels on which clients ask and are answered.
enum class line { shell, control, input };

/// The sockets of the kernel. Anybody who can connect may send anything: what is no message, or not signed with our
/// key, is reported on standard error and forgotten. A client that comes back under its old name is heard at once
/// (ZMQ_ROUTER_HANDOVER), whatever became of its old connection.
///
/// - Thread: each line on one at a time; publish() on any.
/// - GIL: never needed.
/// - Failure: the constructor throws zmq::error_t where a port is in use, std::invalid_argument for a bad scheme.
class channels {
public:
    channels(zmq::context_t& context, xeus::xkernel_configuration const& config,
             nlohmann::json::error_handler_t on_bad_text);
    channels(channels const&) = delete;
    channels& operator=(channels const&) = delete;
    ~channels();

    /// Starts to publish and to answer heartbeats, on a thread of its own.
    void start();
    /// The end of that, when all that was published by now is with the clients' connections.
    void stop();

    /// The next message; empty if none is there.
    std::optional<xeus::xmessage> read(line where);
    void send(line where, xeus::xmessage message);
    void publish(xeus::xpub_message message);

    /// Can be polled. It tells of changes only (zmq_getsockopt(3), ZMQ_FD), so read() must have found nothing before.
    int descriptor(line where) const;

private:
    zmq::socket_t& socket(line where) { return lines_[static_cast<std::size_t>(where)]; }
    void relay();
    bool forward();
    void welcome();
    void answer_heartbeat();

    signer const key_;
    nlohmann::json::error_handler_t const on_bad_text_;
    std::array<zmq::socket_t, 3> lines_; // by line
    zmq::socket_t heartbeat_;
    zmq::socket_t subscribers_;
    zmq::socket_t published_; // where relay() takes from
    std::mutex publishing_;   // guards the next
    zmq::socket_t publisher_;
    std::thread relay_;
};

} // namespace xcores::kernel
