// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <optional>

#include <nlohmann/json.hpp>

#include <xcores/run/payload.hpp>

/// Messages between the kernel and a process worker, over a stream socket.
namespace xcores::executors::wire {

enum class kind : std::uint32_t {
    hello,    ///< to the worker, once: how to start Python
    ready,    ///< from it: may be given tasks
    failed,   ///< from it, instead of ready or prepared: why
    task,     ///< to it, with the input; ends a task that was prepared and never begun
    prepared, ///< from it: waits for go
    go,       ///< to it: execute now
    done,     ///< from it, with the output
    close,    ///< to it: end
    next,     ///< from it, while it executes: wants items; those it had are done
    items,    ///< to it: some; none: it is over
    results,  ///< from it, while it executes: what fits no outbox, after all that is there
    taken,    ///< to it: they have been
};

struct message {
    kind what{};
    nlohmann::json fields;
    run::payload content;
};

/// Failure: std::system_error; EPIPE when the other side is gone (no SIGPIPE).
void send(int socket, kind what, const nlohmann::json& fields = {}, const run::payload& content = {});

/// Blocks. Nothing: the other side has closed. Failure: std::system_error; std::runtime_error for what is not a
/// message.
std::optional<message> receive(int socket);

} // namespace xcores::executors::wire
