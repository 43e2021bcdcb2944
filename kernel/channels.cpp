// SPDX-License-Identifier: BSD-3-Clause
#include "channels.hpp"

#include "interrupts.hpp"

#include <cerrno>
#include <iostream>

namespace xcores::kernel {

namespace {

constexpr auto relay_address = "inproc://published";

zmq::socket_t bound(zmq::context_t& context, zmq::socket_type type, xeus::xkernel_configuration const& config,
                    std::string const& port) {
    constexpr int linger_ms = 1000; // what is on its way at the end
    // A client may read so many messages late; further ones are dropped, so that one that never reads does not take all
    // memory. libzmq's default of 1000 lost displays of a fast loop on a busy machine (zmq_setsockopt(3), ZMQ_SNDHWM).
    constexpr int unread_messages = 100'000;
    zmq::socket_t socket(context, type);
    socket.set(zmq::sockopt::linger, linger_ms);
    if (type == zmq::socket_type::xpub) {
        socket.set(zmq::sockopt::sndhwm, unread_messages);
    }
    if (type == zmq::socket_type::router) {
        socket.set(zmq::sockopt::router_handover, true);
    }
    char const separator = config.m_transport == "tcp" ? ':' : '-'; // as Jupyter names the files of "ipc"
    socket.bind(config.m_transport + "://" + config.m_ip + separator + port);
    return socket;
}

zmq::socket_t inner(zmq::context_t& context, zmq::socket_type type) {
    zmq::socket_t socket(context, type);
    socket.set(zmq::sockopt::rcvhwm, 0); // what was published is never dropped on the way to its sender
    socket.set(zmq::sockopt::sndhwm, 0);
    socket.set(zmq::sockopt::linger, 0);
    return socket;
}

} // namespace

channels::channels(zmq::context_t& context, xeus::xkernel_configuration const& config,
                   nlohmann::json::error_handler_t on_bad_text)
    : key_(config.m_signature_scheme, config.m_key), on_bad_text_(on_bad_text),
      lines_{bound(context, zmq::socket_type::router, config, config.m_shell_port),
             bound(context, zmq::socket_type::router, config, config.m_control_port),
             bound(context, zmq::socket_type::router, config, config.m_stdin_port)},
      heartbeat_(bound(context, zmq::socket_type::router, config, config.m_hb_port)),
      subscribers_(bound(context, zmq::socket_type::xpub, config, config.m_iopub_port)),
      published_(inner(context, zmq::socket_type::pull)), publisher_(inner(context, zmq::socket_type::push)) {
    subscribers_.set(zmq::sockopt::xpub_verbose, true); // every subscription is welcomed, not only the first
    published_.bind(relay_address);
    publisher_.connect(relay_address);
}

channels::~channels() {
    stop();
}

void channels::start() {
    relay_ = quiet_thread("xcores server", [this] { relay(); });
}

void channels::stop() {
    if (!relay_.joinable()) {
        return;
    }
    {
        std::lock_guard const lock(publishing_);
        publisher_.send(zmq::message_t(), zmq::send_flags::none); // alone it is no message: the end
    }
    relay_.join();
}

std::optional<xeus::xmessage> channels::read(line where) {
    for (zmq::multipart_t frames; frames.recv(socket(where), ZMQ_DONTWAIT);) {
        try {
            return read_message(std::move(frames), key_);
        } catch (bad_message const& error) {
            std::cerr << "xcores: ignored a message: " << error.what() << std::endl;
        }
        frames = {};
    }
    return std::nullopt;
}

void channels::send(line where, xeus::xmessage message) {
    frames_of(std::move(message), key_, on_bad_text_).send(socket(where));
}

void channels::publish(xeus::xpub_message message) {
    auto frames = frames_of(std::move(message), key_, on_bad_text_);
    std::lock_guard const lock(publishing_);
    frames.send(publisher_);
}

int channels::descriptor(line where) const {
    return lines_[static_cast<std::size_t>(where)].get(zmq::sockopt::fd);
}

void channels::relay() {
    zmq::pollitem_t items[] = {
        {published_, 0, ZMQ_POLLIN, 0}, {subscribers_, 0, ZMQ_POLLIN, 0}, {heartbeat_, 0, ZMQ_POLLIN, 0}};
    for (bool goes_on = true; goes_on;) {
        try {
            zmq::poll(items, std::size(items), std::chrono::milliseconds(-1));
            if (items[2].revents != 0) {
                answer_heartbeat();
            }
            if (items[1].revents != 0) {
                welcome();
            }
            if (items[0].revents != 0) {
                goes_on = forward();
            }
        } catch (std::exception const& error) {
            std::cerr << "xcores: publishing: " << error.what() << std::endl;
        }
    }
}

bool channels::forward() {
    zmq::multipart_t frames;
    frames.recv(published_);
    if (frames.size() == 1) {
        return false;
    }
    frames.send(subscribers_);
    return true;
}

/// A subscription is one frame: the byte 1 and the topic (zmq_socket(3), ZMQ_XPUB). A client may send others.
void channels::welcome() {
    zmq::multipart_t frames;
    frames.recv(subscribers_);
    auto const event = frames.size() == 1 ? frames.popstr() : std::string();
    if (!event.starts_with('\1')) {
        return;
    }
    auto const nothing = nlohmann::json::object();
    xeus::xpub_message greeting("", xeus::make_header("iopub_welcome", "", ""), nothing, nothing,
                                {{"subscription", event.substr(1)}}, {});
    frames_of(std::move(greeting), key_, on_bad_text_).send(subscribers_);
}

void channels::answer_heartbeat() {
    zmq::multipart_t frames;
    frames.recv(heartbeat_);
    frames.send(heartbeat_);
}

} // namespace xcores::kernel
