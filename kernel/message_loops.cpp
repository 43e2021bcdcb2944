// SPDX-License-Identifier: BSD-3-Clause
#include "message_loops.hpp"

#include <cerrno>
#include <poll.h>
#include <sys/eventfd.h>
#include <system_error>
#include <unistd.h>
#include <zmq.hpp>

namespace xcores::kernel {

namespace {

/// A call on a ZeroMQ socket; empty if a signal interrupted it.
template <class Call>
auto interruptible(Call call) -> std::optional<decltype(call())> {
    try {
        return call();
    } catch (zmq::error_t const& error) {
        if (error.num() != EINTR) {
            throw;
        }
        return std::nullopt;
    }
}

} // namespace

void shell_loop::abort_waiting() {
    while (auto message = read_shell(ZMQ_DONTWAIT)) {
        waiting_.push_back({std::move(*message), fate::to_be_handled});
    }
    for (auto& each : waiting_) {
        if (each.message.header().value("msg_type", "") == "execute_request") {
            each.verdict = fate::aborted;
        }
    }
}

void shell_loop::run_impl() {
    unblock_signals(); // the server's threads exist by now, and inherited the mask
    while (step()) {
    }
}

bool shell_loop::step() {
    if (shutdown_.requested()) { // whatever else is queued stays unanswered; the control thread says when to end
        auto order = interruptible([this] { return read_controller(0); });
        return !order || !*order || answer_controller(std::move(**order));
    }
    if (!waiting_.empty()) {
        waiting next = std::move(waiting_.front());
        waiting_.pop_front();
        deliver_(std::move(next.message), next.verdict);
        return true;
    }
    auto const ready = interruptible([this] { return poll_channels(); });
    if (!ready) {
        handler_.signalled();
    } else if (auto message = read_shell(*ready)) {
        deliver_(std::move(*message), fate::to_be_handled);
    } else if (auto order = read_controller(*ready)) {
        return answer_controller(std::move(*order));
    }
    return true;
}

bool shell_loop::answer_controller(std::string order) {
    bool const stop = order == "stop";
    send_controller(stop ? std::move(order) : notify_internal_listener(std::move(order)));
    return !stop;
}

control_loop::control_loop() : wake_(eventfd(0, EFD_CLOEXEC)) {
    if (wake_ == -1) {
        throw std::system_error(errno, std::generic_category(), "eventfd");
    }
}

control_loop::~control_loop() {
    close(wake_);
}

void control_loop::run_impl() {
    while (!stopped_) {
        if (auto message = read_control(ZMQ_DONTWAIT)) {
            notify_control_listener(std::move(*message));
            continue;
        }
        // The descriptor tells of changes only (zmq_getsockopt(3), ZMQ_FD), so the socket is always emptied first; the
        // time limit is for the change that a send of ours may have swallowed.
        pollfd watched[] = {{get_control_fd(), POLLIN, 0}, {wake_, POLLIN, 0}};
        poll(watched, 2, 200);
    }
    stop_channels();
}

void control_loop::stop_impl() {
    stopped_ = true;
    eventfd_write(wake_, 1);
}

} // namespace xcores::kernel
