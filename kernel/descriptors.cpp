// SPDX-License-Identifier: BSD-3-Clause
#include "descriptors.hpp"

#include "crash_log.hpp"
#include "interrupts.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <iostream>
#include <poll.h>
#include <streambuf>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <system_error>
#include <unistd.h>
#include <xcores/utf8.hpp>

namespace xcores::kernel {

using namespace std::chrono_literals;

namespace {

constexpr int first_free = 16; // out of the way of numbers that programs give descriptors by hand
constexpr int pipe_size = 256 * 1024;
constexpr std::size_t flood = 64 * 1024;
/// After that much text the writer has to wait for the front end: ZeroMQ drops what piles up.
constexpr int flood_pause_ms = 2;
/// No program can be started and have written something in less.
constexpr auto pause = 50us;

int checked(int result, char const* what) {
    if (result == -1) {
        throw std::system_error(errno, std::generic_category(), what);
    }
    return result;
}

/// What std::cerr writes to, so that it needs no descriptor 2.
class log_buffer final : public std::streambuf {
public:
    explicit log_buffer(int descriptor) : descriptor_(descriptor) {}

private:
    int_type overflow(int_type letter) override {
        char const text = traits_type::to_char_type(letter);
        return xsputn(&text, 1) == 1 ? letter : traits_type::eof();
    }
    std::streamsize xsputn(char const* text, std::streamsize size) override {
        return std::max<std::streamsize>(0, ::write(descriptor_, text, static_cast<std::size_t>(size)));
    }
    int descriptor_;
};

void send_messages_to(int log) {
    static auto* const before = std::cerr.rdbuf();
    static log_buffer* made = nullptr; // never freed: threads may write at any time
    made = log == -1 ? nullptr : new log_buffer(log);
    std::cerr.rdbuf(made != nullptr ? made : before);
}

/// Whoever writes through C's stdio holds its lock, and may do so for long.
void flush_stdio(std::FILE* file) {
    if (ftrylockfile(file) == 0) {
        std::fflush(file);
        funlockfile(file);
    }
}

} // namespace

captured_descriptors::captured_descriptors(text_sink show) : show_(std::move(show)), chunk_(pipe_size, '\0') {
    wake_ = checked(eventfd(0, EFD_CLOEXEC), "eventfd");
    std::fflush(nullptr);
    for (auto& each : pipes_) {
        open(each);
    }
    std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ); // as on a terminal: C libraries print lines
    crash_log::start({pipes_[0].read_end, pipes_[1].read_end}, log());
    send_messages_to(log());
    thread_ = quiet_thread("xcores pipes", [this] { watch(); });
}

captured_descriptors::~captured_descriptors() {
    eventfd_write(wake_, 1);
    thread_.join();
    finish();
    crash_log::stop();
    send_messages_to(-1);
    restore();
    close(wake_);
}

void captured_descriptors::open(pipe& made) {
    made.before = fcntl(made.target, F_DUPFD_CLOEXEC, first_free);
    if (made.before == -1) { // the kernel was started without it
        made.before = checked(::open("/dev/null", O_WRONLY | O_CLOEXEC), "/dev/null");
    }
    int ends[2];
    checked(pipe2(ends, O_CLOEXEC), "pipe");
    made.read_end = checked(fcntl(ends[0], F_DUPFD_CLOEXEC, first_free), "duplicating a descriptor");
    fcntl(made.read_end, F_SETPIPE_SZ, pipe_size);
    fcntl(made.read_end, F_SETFL, O_NONBLOCK);
    int const write_end = checked(fcntl(ends[1], F_DUPFD_CLOEXEC, first_free), "duplicating a descriptor");
    close(ends[0]);
    close(ends[1]);
    checked(dup2(write_end, made.target), "dup2"); // without CLOEXEC
    close(write_end);
}

void captured_descriptors::restore() noexcept {
    for (auto& each : pipes_) {
        dup2(each.before, each.target);
        close(each.read_end);
        close(each.before);
    }
}

void captured_descriptors::leave_to_parent() noexcept {
    for (auto& each : pipes_) {
        close(each.read_end); // otherwise a child that outlives the kernel would wait for itself to read
    }
}

void captured_descriptors::watch() {
    for (;;) {
        std::array<pollfd, 3> entries{
            {{pipes_[0].read_end, POLLIN, 0}, {pipes_[1].read_end, POLLIN, 0}, {wake_, POLLIN, 0}}};
        if (poll(entries.data(), entries.size(), -1) == -1 && errno != EINTR) {
            return;
        }
        if (entries[2].revents != 0) {
            return;
        }
        std::size_t amount = 0;
        {
            std::lock_guard const lock(reading_);
            amount = read_available();
        }
        if (amount >= flood && poll(&entries[2], 1, flood_pause_ms) > 0) {
            return;
        }
    }
}

void captured_descriptors::drain() {
    looked_ = std::chrono::steady_clock::now();
    std::lock_guard const lock(reading_);
    read_available();
}

void captured_descriptors::drain_after_pause() {
    auto const current = std::chrono::steady_clock::now();
    if (current - looked_.exchange(current) > pause) {
        drain();
    }
}

void captured_descriptors::finish() {
    flush_stdio(stdout);
    flush_stdio(stderr);
    std::lock_guard const lock(reading_);
    read_available();
    for (auto& each : pipes_) {
        if (!each.cut.empty()) {
            show_(each.target == 1 ? stream_name::out : stream_name::err, std::exchange(each.cut, {}));
        }
    }
}

std::size_t captured_descriptors::read_available() {
    return read_available(pipes_[0]) + read_available(pipes_[1]);
}

std::string_view captured_descriptors::read_noted(pipe const& from, std::size_t most) {
    crash_log::reading const scope;
    auto const got = read(from.read_end, chunk_.data(), most);
    std::string_view const text(chunk_.data(), static_cast<std::size_t>(std::max<ssize_t>(0, got)));
    if (from.target == 2) {
        crash_log::note(text);
    }
    return text;
}

/// Only what is there now: a child may go on writing for ever.
std::size_t captured_descriptors::read_available(pipe& from) {
    int available = 0;
    ioctl(from.read_end, FIONREAD, &available);
    std::size_t amount = 0;
    while (available > 0) {
        auto const most = std::min(static_cast<std::size_t>(available), chunk_.size());
        auto const text = read_noted(from, most);
        if (text.empty()) {
            break;
        }
        available -= static_cast<int>(text.size());
        amount += text.size();
        from.cut += text;
        auto const whole = whole_characters(from.cut);
        if (whole > 0) {
            show_(from.target == 1 ? stream_name::out : stream_name::err, std::string_view(from.cut).substr(0, whole));
        }
        from.cut.erase(0, whole);
    }
    return amount;
}

} // namespace xcores::kernel
