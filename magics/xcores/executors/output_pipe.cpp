// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/executors/output_pipe.hpp>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include <fcntl.h>
#include <unistd.h>

namespace xcores::executors {

using os::unique_fd;

unique_fd high(unique_fd fd) {
    constexpr int first_free = 16;
    unique_fd moved(::fcntl(fd.get(), F_DUPFD_CLOEXEC, first_free));
    if (!moved)
        throw std::system_error(errno, std::generic_category(), "duplicating a descriptor");
    return moved;
}

void output_pipe::open(unique_fd& write_end) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0)
        throw std::system_error(errno, std::generic_category(), "pipe");
    read_end_ = unique_fd(ends[0]);
    write_end = high(unique_fd(ends[1]));
    ::fcntl(read_end_.get(), F_SETFL, O_NONBLOCK);
}

void output_pipe::drain(run::stream from, const run::output_sink& sink) {
    char bytes[16 * 1024];
    for (;;) {
        const auto got = ::read(read_end_.get(), bytes, sizeof bytes);
        if (got < 0 && errno == EINTR)
            continue;
        if (got == 0)
            read_end_.reset(); // nobody can write any more: poll must not report it for ever
        if (got <= 0)
            return;
        held_.append(bytes, static_cast<std::size_t>(got));
        const auto whole = whole_characters();
        if (whole > 0 && sink)
            sink(from, std::string_view(held_).substr(0, whole));
        held_.erase(0, whole);
    }
}

std::size_t output_pipe::whole_characters() const {
    const auto size = held_.size();
    for (std::size_t back = 1; back <= std::min<std::size_t>(3, size); ++back) {
        const auto byte = static_cast<unsigned char>(held_[size - back]);
        if ((byte & 0xC0U) == 0x80U) // a continuation: its start lies further back
            continue;
        const std::size_t length = byte >= 0xF0U ? 4 : byte >= 0xE0U ? 3 : byte >= 0xC0U ? 2 : 1;
        return length > back ? size - back : size;
    }
    return size;
}

} // namespace xcores::executors
