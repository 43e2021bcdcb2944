// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/executors/wire.hpp>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <system_error>
#include <vector>

#include <sys/socket.h>
#include <sys/uio.h>

namespace xcores::executors::wire {
namespace {

struct header {
    std::uint32_t what;
    std::uint32_t buffers;     ///< so many places follow
    std::uint64_t fields_size; ///< MessagePack
    std::uint64_t data_size;
    std::uint64_t block_size; ///< of the shared memory that comes with the header; 0: none
};

/// Where a buffer is: in the block from `start` on, or in the socket, after the data.
struct place {
    std::uint64_t size;
    std::uint64_t start;
};
constexpr auto in_socket = ~std::uint64_t{0};

/// Pieces of memory to be sent or filled in one go: one system call and one wake-up of the other side.
class pieces {
public:
    void add(const void* data, std::size_t size) {
        if (size > 0)
            parts_.push_back({const_cast<void*>(data), size});
    }
    bool empty() const { return next_ == parts_.size(); }
    msghdr message() {
        msghdr head{};
        head.msg_iov = parts_.data() + next_;
        head.msg_iovlen = std::min<std::size_t>(parts_.size() - next_, IOV_MAX);
        return head;
    }
    void advance(std::size_t done) {
        while (done > 0) {
            auto& first = parts_[next_];
            const auto step = std::min(done, first.iov_len);
            first.iov_base = static_cast<char*>(first.iov_base) + step;
            first.iov_len -= step;
            done -= step;
            next_ += first.iov_len == 0;
        }
    }

private:
    std::vector<iovec> parts_;
    std::size_t next_ = 0;
};

/// Room for the descriptors beside the bytes of a message: those of the sender and the block's.
struct descriptor_room {
    alignas(cmsghdr) char bytes[CMSG_SPACE(sizeof(int) * (most_descriptors + 1))] = {};

    void put(msghdr& head, std::span<const int> descriptors) {
        head.msg_control = bytes;
        head.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
        cmsghdr* control = CMSG_FIRSTHDR(&head);
        control->cmsg_level = SOL_SOCKET;
        control->cmsg_type = SCM_RIGHTS;
        control->cmsg_len = CMSG_LEN(descriptors.size_bytes());
        std::memcpy(CMSG_DATA(control), descriptors.data(), descriptors.size_bytes());
    }
    static void take(const msghdr& head, std::vector<os::unique_fd>& descriptors) {
        const cmsghdr* control = head.msg_controllen > 0 ? CMSG_FIRSTHDR(&head) : nullptr;
        if (!control || control->cmsg_type != SCM_RIGHTS)
            return;
        const auto count = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i < count; ++i) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(control) + i * sizeof fd, sizeof fd);
            descriptors.emplace_back(fd);
        }
    }
};

void send_all(int socket, pieces& what, std::span<const int> descriptors) {
    descriptor_room room;
    while (!what.empty()) {
        auto head = what.message();
        if (!descriptors.empty())
            room.put(head, descriptors);
        const auto sent = ::sendmsg(socket, &head, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            throw std::system_error(errno, std::generic_category(), "sending to a worker process");
        what.advance(static_cast<std::size_t>(sent));
        descriptors = {}; // they went with the first bytes
    }
}

bool receive_all(int socket, pieces& what, std::vector<os::unique_fd>* descriptors = nullptr) {
    while (!what.empty()) {
        auto head = what.message();
        descriptor_room room;
        head.msg_control = descriptors ? room.bytes : nullptr;
        head.msg_controllen = descriptors ? sizeof room.bytes : 0;
        const auto got = ::recvmsg(socket, &head, MSG_CMSG_CLOEXEC | MSG_WAITALL);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && errno != ECONNRESET)
            throw std::system_error(errno, std::generic_category(), "receiving from a worker process");
        if (got <= 0)
            return false;
        if (descriptors)
            descriptor_room::take(head, *descriptors);
        what.advance(static_cast<std::size_t>(got));
    }
    return true;
}

bool is_shared(const run::buffer& one) {
    return one.size >= shared_from;
}

std::vector<place> places_of(const run::payload& content, const shared_buffers& shared) {
    std::vector<place> places;
    std::size_t next = 0;
    for (const auto& one : content.buffers)
        places.push_back({one.size, is_shared(one) ? shared.places().at(next++) : in_socket});
    return places;
}

/// The buffers of a message: those in the block stay there, the others are filled by what follows in the socket.
bool receive_buffers(int socket, const std::vector<place>& places, const std::shared_ptr<const std::byte>& block,
                     std::size_t block_size, std::vector<run::buffer>& buffers) {
    pieces rest;
    for (const auto& [size, start] : places) {
        if (start == in_socket) {
            const std::shared_ptr<std::byte[]> bytes(new std::byte[size]);
            rest.add(bytes.get(), size);
            buffers.push_back({bytes.get(), size, bytes});
        } else if (start > block_size || size > block_size - start) {
            throw std::runtime_error("a worker process sent a buffer that is not in its block");
        } else {
            buffers.push_back({block.get() + start, size, block});
        }
    }
    return receive_all(socket, rest);
}

} // namespace

shared_buffers::shared_buffers(const run::payload& content, const allocator& allocate) {
    constexpr std::size_t alignment = 64; // a cache line: enough for every type and for vector instructions
    for (const auto& one : content.buffers) {
        if (!is_shared(one))
            continue;
        places_.push_back(size_);
        size_ += (one.size + alignment - 1) / alignment * alignment;
    }
    if (places_.empty())
        return;
    block_ = allocate(size_);
    auto next = places_.begin();
    for (const auto& one : content.buffers)
        if (is_shared(one))
            std::memcpy(block_->data() + *next++, one.data, one.size);
}

void send(int socket, kind what, const nlohmann::json& fields, const extras& with) {
    static const run::payload nothing;
    const auto& content = with.content ? *with.content : nothing;
    std::optional<shared_buffers> made;
    if (!with.shared)
        made.emplace(content, [](std::size_t size) { return std::make_shared<os::shared_block>(size); });
    const auto& shared = with.shared ? *with.shared : *made;
    std::vector<std::uint8_t> packed;
    if (!fields.is_null())
        nlohmann::json::to_msgpack(fields, packed);
    const auto places = places_of(content, shared);
    std::vector<int> descriptors(with.descriptors.begin(), with.descriptors.end());
    if (!shared.empty())
        descriptors.push_back(shared.fd());
    const header head{static_cast<std::uint32_t>(what), static_cast<std::uint32_t>(places.size()), packed.size(),
                      content.data.size(), shared.size()};
    pieces all;
    all.add(&head, sizeof head);
    all.add(places.data(), places.size() * sizeof(place));
    all.add(packed.data(), packed.size());
    all.add(content.data.data(), content.data.size());
    for (std::size_t i = 0; i < places.size(); ++i)
        if (places[i].start == in_socket)
            all.add(content.buffers[i].data, content.buffers[i].size);
    send_all(socket, all, descriptors);
}

std::optional<message> receive(int socket) {
    header head{};
    message got;
    pieces first;
    first.add(&head, sizeof head);
    if (!receive_all(socket, first, &got.descriptors))
        return std::nullopt;
    if (head.what > static_cast<std::uint32_t>(kind::ended))
        throw std::runtime_error("a worker process sent something that is not a message");
    got.what = static_cast<kind>(head.what);
    std::vector<place> places(head.buffers);
    std::vector<std::uint8_t> packed(head.fields_size);
    got.content.data.resize(head.data_size);
    pieces second;
    second.add(places.data(), places.size() * sizeof(place));
    second.add(packed.data(), packed.size());
    second.add(got.content.data.data(), got.content.data.size());
    if (!receive_all(socket, second))
        return std::nullopt;
    if (!packed.empty())
        got.fields = nlohmann::json::from_msgpack(packed);
    std::shared_ptr<const std::byte> block;
    if (head.block_size > 0) {
        if (got.descriptors.empty())
            throw std::runtime_error("a worker process sent buffers without their memory");
        block = os::shared_block::map(got.descriptors.back(), head.block_size);
        got.descriptors.pop_back();
    }
    if (!receive_buffers(socket, places, block, head.block_size, got.content.buffers))
        return std::nullopt;
    return got;
}

} // namespace xcores::executors::wire
