// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/executors/wire.hpp>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <iterator>
#include <system_error>
#include <vector>

#include <sys/socket.h>
#include <sys/uio.h>

#include <xcores/executors/packed_fields.hpp>

namespace xcores::executors::wire {
namespace {

struct header {
    std::uint32_t magic; ///< what anything else writes to the socket has not
    std::uint32_t what;
    std::uint32_t buffers; ///< so many places follow
    std::uint32_t descriptors;
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

constexpr std::uint32_t magic = 0x9c5eb1d7; // no UTF-8 text, whatever the byte order

/// Pieces of memory to be sent in one go: one system call and one wake-up of the other side.
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
        if ((head.msg_flags & MSG_CTRUNC) != 0) // unix(7): there was no free descriptor for what came
            throw std::system_error(EMFILE, std::generic_category(), "receiving from a worker process");
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

bool is_shared(const run::buffer& one) {
    return one.size >= shared_from;
}

std::vector<place> places_of(const run::payload& content, const shared_buffers& shared) {
    std::vector<place> places;
    std::size_t next = 0;
    for (const auto& one : content.buffers)
        places.push_back({one.size, is_shared(one) && !shared.empty() ? shared.places().at(next++) : in_socket});
    return places;
}

[[noreturn]] void refuse(const char* why) {
    throw std::runtime_error(std::string("a worker process sent ") + why);
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
    try {
        block_ = allocate(size_);
    } catch (const std::system_error&) { // no memory or no descriptor for it: the socket needs neither
        places_.clear();
        size_ = 0;
        return;
    }
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
    const header head{magic,
                      static_cast<std::uint32_t>(what),
                      static_cast<std::uint32_t>(places.size()),
                      static_cast<std::uint32_t>(descriptors.size()),
                      packed.size(),
                      content.data.size(),
                      shared.size()};
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

bool send_content(int socket, kind what, const run::payload& content, const nlohmann::json& fields,
                  const shared_buffers* shared) {
    try {
        send(socket, what, fields, {&content, shared, {}});
        return true;
    } catch (const std::system_error& error) {
        if (error.code().value() != EPIPE && error.code().value() != ECONNRESET)
            throw;
        return false;
    }
}

// As much as is there, but something. Zero: the other side has closed. What comes with descriptors is the last that one
// call gives (unix(7)), so theirs are in the order of the messages.
std::size_t inbox::receive_some(void* bytes, std::size_t size) {
    for (;;) {
        iovec part{bytes, size};
        descriptor_room room;
        msghdr head{};
        head.msg_iov = &part;
        head.msg_iovlen = 1;
        head.msg_control = room.bytes;
        head.msg_controllen = sizeof room.bytes;
        const auto got = ::recvmsg(socket_, &head, MSG_CMSG_CLOEXEC | (while_waiting_ ? MSG_DONTWAIT : 0));
        if (got >= 0) {
            descriptor_room::take(head, descriptors_);
            return static_cast<std::size_t>(got);
        }
        reset_ = reset_ || errno == ECONNRESET; // unix(7): its receive queue was not empty
        if (reset_)
            return 0;
        if (while_waiting_ && (errno == EAGAIN || errno == EWOULDBLOCK))
            while_waiting_();
        else if (errno != EINTR)
            throw std::system_error(errno, std::generic_category(), "receiving from a worker process");
    }
}

std::vector<os::unique_fd> inbox::take_descriptors(std::size_t count) {
    if (count > descriptors_.size())
        refuse("a message without its descriptors");
    const auto end = descriptors_.begin() + static_cast<std::ptrdiff_t>(count);
    std::vector<os::unique_fd> taken(std::make_move_iterator(descriptors_.begin()), std::make_move_iterator(end));
    descriptors_.erase(descriptors_.begin(), end);
    return taken;
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

// Memory is taken as the bytes come: a size that is a lie costs no more than what was sent.
template <typename Bytes>
bool inbox::take_into(Bytes& bytes, std::uint64_t size) {
    constexpr std::uint64_t step = std::uint64_t{64} << 20U;
    while (bytes.size() < size) {
        const auto had = bytes.size();
        bytes.resize(had + std::min(size - had, std::max<std::uint64_t>(step, had)));
        if (!take(bytes.data() + had, (bytes.size() - had) * sizeof(*bytes.data())))
            return false;
    }
    return true;
}

bool inbox::take_buffer(run::payload& content, std::uint64_t size) {
    const auto bytes = std::make_shared<std::vector<std::byte>>();
    if (!take_into(*bytes, size))
        return false;
    content.buffers.push_back({.data = bytes->data(), .size = bytes->size(), .owner = bytes, .writable = true});
    return true;
}

std::optional<message> inbox::receive() {
    header head{};
    if (!take(&head.magic, sizeof head.magic))
        return std::nullopt;
    if (head.magic != magic)
        refuse("something that is not a message");
    if (!take(reinterpret_cast<char*>(&head) + sizeof head.magic, sizeof head - sizeof head.magic))
        return std::nullopt;
    if (head.what > static_cast<std::uint32_t>(kind::ended))
        refuse("a message of an unknown kind");
    message got;
    got.what = static_cast<kind>(head.what);
    got.descriptors = take_descriptors(head.descriptors);
    std::vector<place> places;
    std::vector<std::uint8_t> packed;
    if (!take_into(places, head.buffers) || !take_into(packed, head.fields_size) ||
        !take_into(got.content.data, head.data_size))
        return std::nullopt;
    if (!packed.empty())
        got.fields = unpacked(packed);
    std::shared_ptr<std::byte> block;
    if (head.block_size > 0) {
        if (got.descriptors.empty())
            refuse("buffers without their memory");
        block = os::shared_block::map(got.descriptors.back(), head.block_size);
        got.descriptors.pop_back();
    }
    for (const auto& [size, start] : places) {
        if (start == in_socket) {
            if (!take_buffer(got.content, size))
                return std::nullopt;
        } else if (start > head.block_size || size > head.block_size - start) {
            refuse("a buffer that is not in its block");
        } else {
            got.content.buffers.push_back(
                {.data = block.get() + start, .size = size, .owner = block, .writable = true});
        }
    }
    return got;
}

} // namespace xcores::executors::wire
