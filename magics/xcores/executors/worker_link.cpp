// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/executors/worker_link.hpp>

#include <cerrno>
#include <csignal>
#include <stdexcept>
#include <system_error>

#include <poll.h>
#include <sys/socket.h>

#include <xcores/executors/usage_json.hpp>
#include <xcores/os/error_text.hpp>

namespace xcores::executors {

using os::unique_fd;

worker_link::far_ends worker_link::open() {
    pipes_ = {}; // of the process before, if there was one
    dead_ = true;
    complaint_.clear();
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        throw std::system_error(errno, std::generic_category(), "socketpair");
    socket_ = unique_fd(ends[0]);
    inbox_.emplace(socket_.get(), [this] { wait_for_activity(-1); });
    far_ends made;
    made.socket = high(unique_fd(ends[1]));
    pipes_[0].open(made.output);
    pipes_[1].open(made.errors);
    return made;
}

void worker_link::attach(std::unique_ptr<worker_process> process) {
    take_over(std::move(process));
    dead_ = false;
}

void worker_link::begin() {
    const std::lock_guard lock(process_mutex_);
    opening_ = std::stop_source();
}

bool worker_link::give_up() noexcept {
    const std::lock_guard lock(process_mutex_);
    opening_.request_stop();
    if (process_)
        process_->signal_group(SIGKILL);
    return true;
}

bool worker_link::has_ended() const noexcept {
    const std::lock_guard lock(process_mutex_);
    pollfd entry{process_ ? process_->handle() : -1, POLLIN, 0};
    return ::poll(&entry, 1, 0) > 0;
}

// Whoever gives up meanwhile reaches either the process or its start.
void worker_link::take_over(std::unique_ptr<worker_process> next) noexcept {
    const std::lock_guard lock(process_mutex_);
    process_.swap(next);
    handle_ = process_ ? process_->handle() : -1;
    if (process_ && opening_.stop_requested())
        process_->signal_group(SIGKILL);
}

void worker_link::close() noexcept {
    try {
        send(wire::kind::close);
    } catch (const std::exception&) { // already gone, which is what we want
    }
    constexpr int patience_ms = 1000; // for its own exit handlers
    std::array<pollfd, 2> entries{{{socket_.get(), POLLRDHUP, 0}, {handle_, POLLIN, 0}}};
    ::poll(entries.data(), entries.size(), patience_ms);
    socket_.reset();
    take_over(nullptr);
}

std::optional<wire::message> worker_link::wait_for_message(waiting how) {
    for (;;) {
        activity seen{true, false};
        const int look = how == waiting::parked ? look_.fd() : -1;
        if (!inbox_->has_more() && !understood([&] { seen = wait_for_activity(look); }))
            return std::nullopt;
        if (seen.look) {
            look_.wait(std::chrono::nanoseconds{0});
            return std::nullopt;
        }
        if (!seen.message)
            continue;
        std::optional<wire::message> message;
        understood([&] { message = inbox_->receive(); });
        if (!message || message->what != wire::kind::answered)
            drain(); // what was written before the message is in the pipes by now
        if (!message)
            reap();
        return message;
    }
}

/// Until the process has sent something, or printed something, which is passed on, or `look` can be read.
worker_link::activity worker_link::wait_for_activity(int look) {
    std::array<pollfd, 5> entries{{{socket_.get(), POLLIN, 0},
                                   {pipes_[0].fd(), POLLIN, 0},
                                   {pipes_[1].fd(), POLLIN, 0},
                                   {look, POLLIN, 0},
                                   {handle_, POLLIN, 0}}};
    if (::poll(entries.data(), entries.size(), -1) < 0) {
        if (errno != EINTR)
            throw std::system_error(errno, std::generic_category(), "waiting for a worker process");
        return {false, false};
    }
    if (entries[4].revents != 0) { // its end: whoever else holds the socket, nothing more is waited for
        ::shutdown(socket_.get(), SHUT_RDWR);
        handle_ = -1;
        return {true, false};
    }
    const activity seen{entries[0].revents != 0, entries[3].revents != 0};
    if (!seen.message && !seen.look)
        drain();
    return seen;
}

void worker_link::drain() {
    pipes_[0].drain(run::stream::standard_output, sink_);
    pipes_[1].drain(run::stream::standard_error, sink_);
}

void worker_link::distrust(const std::exception& error) {
    if (dead_)
        return;
    complaint_ = os::text_of(error);
    process_->signal_group(SIGKILL);
    reap();
}

void worker_link::reap() {
    const std::lock_guard lock(sending_);
    if (dead_)
        return;
    dead_ = true;
    ending_ = outcome_of(process_->wait());
    if (!complaint_.empty())
        ending_ = {model::outcome_kind::failed, {}, complaint_ + " (the worker is replaced)", {}, {}, false};
    drain();
}

const wire::message& worker_link::expected(const wire::message& message, wire::kind wanted) {
    if (message.what == wire::kind::failed)
        throw std::runtime_error(reason_of(message));
    if (message.what != wanted)
        throw std::runtime_error("a worker process sent a message out of turn");
    return message;
}

std::string worker_link::reason_of(const wire::message& failure) {
    constexpr auto none = "a worker process failed and gave no reason";
    return failure.fields.is_object() ? failure.fields.value("message", none) : none;
}

} // namespace xcores::executors
