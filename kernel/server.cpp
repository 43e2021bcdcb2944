// SPDX-License-Identifier: BSD-3-Clause
#include "server.hpp"

#include "input.hpp"

#include <iostream>
#include <limits>
#include <string_view>
#include <variant>

namespace xcores::kernel {

namespace nl = nlohmann;

namespace {

std::string type_of(xeus::xmessage_base const& message) {
    return message.header().value("msg_type", "");
}

/// xeus cannot read an optional field that is null where it expects text or a number; absent, it takes the default.
xeus::xmessage without_nulls(xeus::xmessage message) {
    nl::json content = message.content();
    if (!content.is_object()) {
        return message;
    }
    for (auto field = content.begin(); field != content.end();) {
        field = field->is_null() ? content.erase(field) : std::next(field);
    }
    auto const client = message.identities();
    return {client,
            message.header(),
            message.parent_header(),
            message.metadata(),
            std::move(content),
            std::move(message).buffers()};
}

bool is_for_xeus(std::string const& type) {
    static std::set<std::string> const types{"execute_request",     "complete_request",    "inspect_request",
                                             "is_complete_request", "kernel_info_request", "shutdown_request",
                                             "interrupt_request"};
    return types.contains(type);
}

nl::json error_content(std::string const& what) {
    return {{"status", "error"}, {"ename", "KernelError"}, {"evalue", what}, {"traceback", nl::json::array({what})}};
}

} // namespace

server::server(xeus::xcontext& context, xeus::xconfiguration const& config, nl::json::error_handler_t on_bad_text,
               request_handler& handler, shutdown const& stop)
    : handler_(handler), channels_(context.get_wrapped_context<zmq::context_t>(),
                                   std::get<xeus::xkernel_configuration>(config), on_bad_text),
      shell_loop_(channels_, handler, stop, stop_,
                  [this](xeus::xmessage message, fate verdict) { receive(std::move(message), verdict); }) {}

void server::publish(std::string const& type, nl::json parent_header, nl::json content, nl::json metadata,
                     xeus::buffer_sequence buffers) {
    auto const blocked = signal_scope::blocked(); // user code publishes with its signals let through
    std::unique_lock lock(names_);
    if (topic_.empty()) {
        return;
    }
    xeus::xpub_message message(topic_ + type, xeus::make_header(type, user_, session_), std::move(parent_header),
                               std::move(metadata), std::move(content), std::move(buffers));
    lock.unlock();
    channels_.publish(std::move(message));
}

void server::receive(xeus::xmessage message, fate verdict) {
    auto const type = type_of(message);
    if (!is_for_xeus(type) && !handler_.answers(type)) {
        std::cerr << "xcores: ignored a message of unknown type '" << type << "'" << std::endl;
        return;
    }
    current_ = current{message.identities(), message.header(), false, false, false};
    try {
        if (verdict == fate::aborted) {
            publish_status("busy");
            reply({{"status", "aborted"}});
        } else {
            handle(without_nulls(std::move(message)));
        }
    } catch (std::exception const& error) {
        std::cerr << "xcores: " << type << ": " << error.what() << std::endl;
    }
    make_good();
    handler_.end();
    current_.reset();
}

void server::handle(xeus::xmessage message) {
    auto const type = type_of(message);
    auto const& content = message.content();
    current_->stops_on_error = !content.value("silent", false) && content.value("stop_on_error", true);
    handler_.begin(std::make_shared<request>(message.header(), message.metadata()));
    if (!handler_.answers(type)) {
        notify_shell_listener(std::move(message));
        return;
    }
    publish_status("busy");
    if (auto answer = handler_.answer(type, message)) {
        reply(std::move(*answer));
    }
}

/// On every path: one reply to a request, and one "idle".
void server::make_good() noexcept {
    try {
        bool const wants_reply = current_->header.value("msg_type", "").ends_with("_request");
        if (wants_reply && !current_->replied) {
            reply(error_content("the request could not be handled; the kernel's log says why"));
        }
        if (!current_->idle) {
            publish_status("idle");
        }
    } catch (std::exception const& error) {
        std::cerr << "xcores: a reply could not be sent: " << error.what() << std::endl;
    }
}

void server::handle_control(xeus::xmessage message) {
    auto const type = type_of(message);
    // These need no GIL. Anything that runs Python belongs on the main thread, hence on the shell channel.
    if (type == "interrupt_request" || type == "shutdown_request" || type == "kernel_info_request") {
        notify_control_listener(std::move(message));
    } else {
        std::cerr << "xcores: ignored a message of type '" << type << "' on the control channel" << std::endl;
    }
}

void server::reply(nl::json content) {
    auto type = current_->header.value("msg_type", "");
    type.replace(type.rfind('_'), std::string::npos, "_reply");
    send_shell_impl({current_->client,
                     xeus::make_header(type, user_, session_),
                     current_->header,
                     nl::json::object(),
                     std::move(content),
                     {}});
}

void server::publish_status(std::string const& state) {
    current_->idle = state == "idle";
    publish("status", current_->header, {{"execution_state", state}});
}

bool server::belongs_to_current(nl::json const& parent_header) const {
    return current_ && parent_header.value("msg_id", "") == current_->header.value("msg_id", "");
}

xeus::xcontrol_messenger& server::get_control_messenger_impl() {
    return messenger_;
}

void server::send_shell_impl(xeus::xmessage message) {
    if (belongs_to_current(message.parent_header())) {
        if (std::exchange(current_->replied, true)) {
            return;
        }
        if (type_of(message) == "execute_reply") {
            nl::json content = message.content();
            // xeus counts every cell that is not silent; the protocol counts those that are stored in the history.
            content["execution_count"] = handler_.execution_count();
            if (content.value("status", "") == "error" && current_->stops_on_error) {
                shell_loop_.abort_waiting();
            }
            message = {message.identities(), message.header(),   message.parent_header(),
                       message.metadata(),   std::move(content), {}};
        }
    }
    channels_.send(line::shell, std::move(message));
}

void server::send_control_impl(xeus::xmessage message) {
    channels_.send(line::control, std::move(message));
}

void server::send_stdin_impl(xeus::xmessage message) {
    auto const exchange = [&](std::optional<xeus::xmessage> question) { return exchange_input(std::move(question)); };
    notify_stdin_listener(ask(std::move(message), exchange, handler_));
}

std::optional<xeus::xmessage> server::exchange_input(std::optional<xeus::xmessage> question) {
    if (question) {
        channels_.send(line::input, std::move(*question));
    }
    for (;;) {
        if (auto answer = channels_.read(line::input)) {
            return answer;
        }
        int const descriptors[] = {channels_.descriptor(line::input)};
        if (!wait_for(descriptors, signals::unchanged)) {
            return std::nullopt;
        }
    }
}

void server::publish_impl(xeus::xpub_message message, xeus::channel channel) {
    if (channel == xeus::channel::CONTROL) { // on the control thread: nothing of the current request
        channels_.publish(std::move(message));
        return;
    }
    auto const type = type_of(message);
    if (type == "execute_input") { // as in send_shell_impl
        nl::json content = message.content();
        content["execution_count"] = handler_.execution_count();
        message = {message.topic(),    message.header(),   message.parent_header(),
                   message.metadata(), std::move(content), {}};
    }
    if (type == "status" && message.content().value("execution_state", "") == "idle" &&
        belongs_to_current(message.parent_header())) {
        current_->idle = true;
    }
    channels_.publish(std::move(message));
}

void server::start_impl(xeus::xpub_message message) {
    {
        // xeus keeps its names to itself; they stand in its first message, whose topic ends in its type.
        std::lock_guard const lock(names_);
        user_ = message.header().value("username", "");
        session_ = message.header().value("session", "");
        topic_ = message.topic().substr(0, message.topic().size() - std::string_view("status").size());
    }
    channels_.start();
    channels_.publish(std::move(message));
    auto control = quiet_thread("xcores control", [this] {
        run_control_loop(channels_, stop_, [this](xeus::xmessage request) { handle_control(std::move(request)); });
    });
    shell_loop_.run();
    control.join();
    channels_.stop();
}

/// Nothing is left to abort: send_shell_impl() has done it, before the reply and as the protocol wants it.
void server::abort_queue_impl(listener const&, long) {}

void server::stop_impl() {
    stop_.give();
}

/// The ports are those of the connection file, always.
void server::update_config_impl(xeus::xkernel_configuration&) const {}

} // namespace xcores::kernel
