// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/executors/output_pipe.hpp>

#include <cerrno>
#include <system_error>

#include <fcntl.h>
#include <unistd.h>

#include <xcores/utf8.hpp>

namespace xcores::executors {

using os::unique_fd;

unique_fd high_copy(int fd) {
    constexpr int first_free = 16;
    unique_fd copy(::fcntl(fd, F_DUPFD_CLOEXEC, first_free));
    if (!copy) // fcntl(2): EINVAL where the limit is below the wanted number
        throw std::system_error(errno == EINVAL ? EMFILE : errno, std::generic_category(), "duplicating a descriptor");
    return copy;
}

unique_fd high(unique_fd fd) {
    return high_copy(fd.get());
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
        const auto whole = whole_characters(held_);
        if (whole > 0 && sink)
            sink(from, std::string_view(held_).substr(0, whole));
        held_.erase(0, whole);
    }
}

} // namespace xcores::executors
