// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/executors/wire.hpp>

#include <cerrno>
#include <numeric>
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

bool receive_all(int socket, void* bytes, std::size_t size) {
    auto* next = static_cast<char*>(bytes);
    while (size > 0) {
        const auto got = ::recv(socket, next, size, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && errno != ECONNRESET)
            throw std::system_error(errno, std::generic_category(), "receiving from a worker process");
        if (got <= 0)
            return false;
        next += got;
        size -= static_cast<std::size_t>(got);
    }
    return true;
}

} // namespace

void send(int socket, kind what, const nlohmann::json& fields, const run::payload& content) {
    const auto packed = nlohmann::json::to_msgpack(fields);
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

std::optional<message> receive(int socket) {
    header head{};
    if (!receive_all(socket, &head, sizeof head))
        return std::nullopt;
    if (head.what > static_cast<std::uint32_t>(kind::taken))
        throw std::runtime_error("a worker process sent something that is not a message");
    message got;
    got.what = static_cast<kind>(head.what);
    std::vector<std::uint64_t> sizes(head.buffers);
    std::vector<std::uint8_t> packed(head.fields_size);
    got.content.data.resize(head.data_size);
    if (!receive_all(socket, sizes.data(), sizes.size() * sizeof(std::uint64_t)) ||
        !receive_all(socket, packed.data(), packed.size()) ||
        !receive_all(socket, got.content.data.data(), got.content.data.size()))
        return std::nullopt;
    got.fields = nlohmann::json::from_msgpack(packed);
    for (const auto size : sizes) {
        const std::shared_ptr<std::byte[]> bytes(new std::byte[size]);
        if (!receive_all(socket, bytes.get(), size))
            return std::nullopt;
        got.content.buffers.push_back({bytes.get(), size, bytes});
    }
    return got;
}

} // namespace xcores::executors::wire
