// SPDX-License-Identifier: BSD-3-Clause
#include "message_loops.hpp"

#include <cerrno>
#include <poll.h>
#include <pthread.h>
#include <span>
#include <sys/eventfd.h>
#include <system_error>
#include <unistd.h>
#include <vector>
#include <zmq.h>

namespace xcores::kernel {

namespace {

enum class signals { all, unchanged };

/// Waits until a socket of xeus's may have something to read; false if one of the `allowed` signals came. The
/// descriptors tell of changes only (zmq_getsockopt(3), ZMQ_FD), so the sockets must have been found empty before; the
/// time limit is for a change that was swallowed by a send on the same socket.
bool wait_for(std::span<int const> descriptors, signals allowed) {
    std::vector<pollfd> watched;
    for (int const descriptor : descriptors) {
        watched.push_back({descriptor, POLLIN, 0});
    }
    sigset_t none;
    sigemptyset(&none);
    timespec const limit{0, 200'000'000};
    sigset_t const* const blocked = allowed == signals::all ? &none : nullptr; // null: as they are
    return ppoll(watched.data(), watched.size(), &limit, blocked) != -1 || errno != EINTR;
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

void shell_loop::name_threads_to_come() {
    pthread_getname_np(pthread_self(), own_name_.data(), own_name_.size());
    pthread_setname_np(pthread_self(), "xcores server");
}

void shell_loop::run_impl() {
    pthread_setname_np(pthread_self(), own_name_.data());
    while (step()) {
    }
}

bool shell_loop::step() {
    bool const stopping = shutdown_.requested(); // then what is queued stays unanswered
    if (!stopping && waiting_.empty()) {
        if (auto message = read_shell(ZMQ_DONTWAIT)) {
            waiting_.push_back({std::move(*message), fate::to_be_handled});
        }
    }
    if (!stopping && !waiting_.empty()) {
        waiting next = std::move(waiting_.front());
        waiting_.pop_front();
        deliver_(std::move(next.message), next.verdict);
        return true;
    }
    if (auto order = read_controller(ZMQ_DONTWAIT)) {
        return answer_controller(std::move(*order));
    }
    int const descriptors[] = {get_shell_controller_fd(), get_shell_fd()};
    if (!wait_for(std::span(descriptors).first(stopping ? 1 : 2), signals::all)) {
        handler_.signalled();
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
        int const descriptors[] = {get_control_fd(), wake_};
        wait_for(descriptors, signals::unchanged);
    }
    stop_channels();
}

void control_loop::stop_impl() {
    stopped_ = true;
    eventfd_write(wake_, 1);
}

} // namespace xcores::kernel
