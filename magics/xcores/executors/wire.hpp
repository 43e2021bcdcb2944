// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include <nlohmann/json.hpp>

#include <xcores/os/shared_memory.hpp>
#include <xcores/run/payload.hpp>

/// Messages between the kernel and a process worker, over a stream socket. Large buffers travel beside it, in shared
/// memory: the receiver looks at them where they are.
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
    load,     ///< to a zygote, with the input that the next workers will be given
    loaded,   ///< from it; or failed
    unload,   ///< to it: it may let go of the input
    fork,     ///< to it, with the descriptors of a new worker
    forked,   ///< from it, with a descriptor of the process; or failed
    ended,    ///< from it, at any time: how a worker ended
};

struct message {
    kind what{};
    nlohmann::json fields;
    run::payload content;
    std::vector<os::unique_fd> descriptors;
};

/// Buffers of at least this size go through shared memory, smaller ones through the socket. Below it the descriptor and
/// the mapping cost more than the copy.
constexpr std::size_t shared_from = 64 * 1024;

/// The large buffers of a payload, copied into shared memory. Made once, it serves several receivers. Where the system
/// has no memory or descriptor for that, it stays empty, and the buffers go through the socket.
class shared_buffers {
public:
    using allocator = std::function<std::shared_ptr<os::shared_block>(std::size_t)>;

    /// `allocate` is not called when there are none.
    shared_buffers(const run::payload&, const allocator& allocate);

    bool empty() const noexcept { return places_.empty(); }
    int fd() const noexcept { return block_->fd(); }
    std::size_t size() const noexcept { return size_; } ///< of the part of the block that is used
    const std::vector<std::size_t>& places() const noexcept { return places_; }

private:
    std::shared_ptr<os::shared_block> block_;
    std::size_t size_ = 0;
    std::vector<std::size_t> places_;
};

/// What may go with a message besides its fields; nothing of it is owned.
struct extras {
    const run::payload* content = nullptr;
    const shared_buffers* shared = nullptr; ///< those of `content`, if they were made before
    std::span<const int> descriptors;       ///< at most `most_descriptors`
};
constexpr std::size_t most_descriptors = 4;

/// Failure: std::system_error; EPIPE when the other side is gone (no SIGPIPE).
void send(int socket, kind what, const nlohmann::json& fields = {}, const extras& = {});

/// The same, but false when the other side is gone.
bool send_content(int socket, kind what, const run::payload& content, const nlohmann::json& fields = {},
                  const shared_buffers* shared = nullptr);

/// The receiving end of a socket: the only one, because it reads ahead. What is small comes with one system call.
class inbox {
public:
    /// `while_waiting`: called where the socket has nothing to read, instead of blocking; returns when it may have.
    explicit inbox(int socket, std::function<void()> while_waiting = nullptr)
        : socket_(socket), while_waiting_(std::move(while_waiting)) {}

    bool has_more() const noexcept {
        return begin_ < end_;
    } ///< something is here that polling the socket does not show

    /// The other side has closed before it had read all that was sent to it.
    bool left_something_unread() const noexcept { return reset_; }

    /// Blocks. Nothing: the other side has closed. Failure: std::exception: std::system_error, or another for what is
    /// not a message; then nothing that follows can be understood.
    std::optional<message> receive();

private:
    bool take(void* bytes, std::size_t size);
    template <typename Bytes>
    bool take_into(Bytes& bytes, std::uint64_t size);
    bool take_buffer(run::payload& content, std::uint64_t size);
    std::size_t receive_some(void* bytes, std::size_t size);
    std::vector<os::unique_fd> take_descriptors(std::size_t count);

    int socket_;
    std::function<void()> while_waiting_;
    bool reset_ = false;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
    std::vector<char> held_ = std::vector<char>(16 * 1024);
    std::vector<os::unique_fd> descriptors_; ///< that came with what is held, in the order of their messages
};

} // namespace xcores::executors::wire
