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
    serve,    ///< to it: calls will follow
    call,     ///< to it: a call
    answered, ///< from it: its answer
    printed,  ///< the same, and there is output
    leave,    ///< to it: no more calls
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

/// The same for a message without fields. False: the other side is gone.
bool send_content(int socket, kind what, const run::payload& content);

/// The receiving end of a socket. What is small comes with one system call.
class inbox {
public:
    explicit inbox(int socket) noexcept : socket_(socket) {}

    bool has_more() const noexcept {
        return begin_ < end_;
    } ///< something is here that polling the socket does not show

    /// The other side has closed before it had read all that was sent to it.
    bool left_something_unread() const noexcept { return reset_; }

    /// Blocks. Nothing: the other side has closed. Failure: std::system_error; std::runtime_error for what is not a
    /// message.
    std::optional<message> receive();

private:
    bool take(void* bytes, std::size_t size);
    std::size_t receive_some(void* bytes, std::size_t size);

    int socket_;
    bool reset_ = false;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
    std::vector<char> held_ = std::vector<char>(16 * 1024);
};

} // namespace xcores::executors::wire
