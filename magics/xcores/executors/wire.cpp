// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/executors/wire.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

#include <sys/socket.h>

namespace xcores::executors::wire {
namespace {

struct header {
    std::uint32_t what;
    std::uint32_t buffers;     ///< so many 64-bit sizes follow
    std::uint64_t fields_size; ///< MessagePack
    std::uint64_t data_size;
};

void send_all(int socket, const void* bytes, std::size_t size) {
    const auto* next = static_cast<const char*>(bytes);
    while (size > 0) {
        const auto sent = ::send(socket, next, size, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            throw std::system_error(errno, std::generic_category(), "sending to a worker process");
        next += sent;
        size -= static_cast<std::size_t>(sent);
    }
}

} // namespace

void send(int socket, kind what, const nlohmann::json& fields, const run::payload& content) {
    const auto packed = fields.is_null() ? std::vector<std::uint8_t>() : nlohmann::json::to_msgpack(fields);
    const header head{static_cast<std::uint32_t>(what), static_cast<std::uint32_t>(content.buffers.size()),
                      packed.size(), content.data.size()};
    // One piece for what is small: one system call and one wake-up of the other side.
    std::string start(reinterpret_cast<const char*>(&head), sizeof head);
    for (const auto& one : content.buffers) {
        const std::uint64_t size = one.size;
        start.append(reinterpret_cast<const char*>(&size), sizeof size);
    }
    start.append(packed.begin(), packed.end());
    constexpr std::size_t small = 64 * 1024;
    const bool together = content.data.size() <= small;
    if (together)
        start += content.data;
    send_all(socket, start.data(), start.size());
    if (!together)
        send_all(socket, content.data.data(), content.data.size());
    for (const auto& one : content.buffers)
        send_all(socket, one.data, one.size);
}

bool send_content(int socket, kind what, const run::payload& content) {
    try {
        send(socket, what, {}, content);
        return true;
    } catch (const std::system_error& error) {
        if (error.code().value() != EPIPE && error.code().value() != ECONNRESET)
            throw;
        return false;
    }
}

// As much as is there, but something. Zero: the other side has closed.
std::size_t inbox::receive_some(void* bytes, std::size_t size) {
    for (;;) {
        const auto got = ::recv(socket_, bytes, size, 0);
        if (got >= 0)
            return static_cast<std::size_t>(got);
        reset_ = reset_ || errno == ECONNRESET; // unix(7): its receive queue was not empty
        if (reset_)
            return 0;
        if (errno != EINTR)
            throw std::system_error(errno, std::generic_category(), "receiving from a worker process");
    }
}

bool inbox::take(void* bytes, std::size_t size) {
    auto* next = static_cast<char*>(bytes);
    while (size > 0) {
        if (begin_ == end_ && size >= held_.size()) { // what is large goes straight to its place
            const auto got = receive_some(next, size);
            if (got == 0)
                return false;
            next += got;
            size -= got;
            continue;
        }
        if (begin_ == end_) {
            begin_ = 0;
            end_ = receive_some(held_.data(), held_.size());
            if (end_ == 0)
                return false;
        }
        const auto count = std::min(size, end_ - begin_);
        std::memcpy(next, held_.data() + begin_, count);
        begin_ += count;
        next += count;
        size -= count;
    }
    return true;
}

std::optional<message> inbox::receive() {
    header head{};
    if (!take(&head, sizeof head))
        return std::nullopt;
    if (head.what > static_cast<std::uint32_t>(kind::taken))
        throw std::runtime_error("a worker process sent something that is not a message");
    message got;
    got.what = static_cast<kind>(head.what);
    std::vector<std::uint64_t> sizes(head.buffers);
    std::vector<std::uint8_t> packed(head.fields_size);
    got.content.data.resize(head.data_size);
    if (!take(sizes.data(), sizes.size() * sizeof(std::uint64_t)) || !take(packed.data(), packed.size()) ||
        !take(got.content.data.data(), got.content.data.size()))
        return std::nullopt;
    if (!packed.empty())
        got.fields = nlohmann::json::from_msgpack(packed);
    for (const auto size : sizes) {
        const std::shared_ptr<std::byte[]> bytes(new std::byte[size]);
        if (!take(bytes.get(), size))
            return std::nullopt;
        got.content.buffers.push_back({bytes.get(), size, bytes});
    }
    return got;
}

} // namespace xcores::executors::wire
