// SPDX-License-Identifier: BSD-3-Clause
#include "input.hpp"

#include "interrupts.hpp"

#include <cerrno>
#include <zmq.hpp>

namespace xcores::kernel {

namespace {

/// A message for a client that does not exist: a ROUTER socket drops it, so that only the waiting is left.
xeus::xmessage to_nobody() {
    auto const nothing = nlohmann::json::object();
    return {{"nobody"}, nothing, nothing, nothing, nothing, {}};
}

/// Empty if there was no answer before the next wake-up call.
std::optional<xeus::xmessage> try_exchange(stdin_exchange const& exchange, xeus::xmessage message) {
    try {
        return exchange(std::move(message));
    } catch (zmq::error_t const& error) {
        if (error.num() != EINTR) {
            throw;
        }
        return std::nullopt;
    }
}

/// Clients name as parent the question, the request that asked it, or nothing.
bool answers(xeus::xmessage const& reply, std::string const& question, std::string const& asking_request) {
    auto const parent = reply.parent_header().value("msg_id", "");
    return parent.empty() || parent == question || parent == asking_request;
}

} // namespace

xeus::xmessage ask(xeus::xmessage question, stdin_exchange const& exchange, request_handler& handler) {
    auto const id = question.header().value("msg_id", "");
    auto const asking_request = question.parent_header().value("msg_id", "");
    wake_up_calls const wake_up_calls;
    while (try_exchange(exchange, to_nobody())) { // late answers to earlier questions
    }
    auto reply = try_exchange(exchange, std::move(question));
    while (!reply || !answers(*reply, id, asking_request)) {
        if (!handler.keep_waiting()) {
            throw input_abandoned();
        }
        reply = try_exchange(exchange, to_nobody());
    }
    return std::move(*reply);
}

} // namespace xcores::kernel
