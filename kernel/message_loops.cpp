// SPDX-License-Identifier: BSD-3-Clause
#include "message_loops.hpp"

#include <cerrno>
#include <iostream>
#include <poll.h>
#include <string>
#include <sys/eventfd.h>
#include <system_error>
#include <unistd.h>
#include <vector>

namespace xcores::kernel {

stop_signal::stop_signal() : event_(eventfd(0, EFD_CLOEXEC)) {
    if (event_ == -1) {
        throw std::system_error(errno, std::generic_category(), "eventfd");
    }
}

stop_signal::~stop_signal() {
    close(event_);
}

void stop_signal::give() {
    given_ = true;
    eventfd_write(event_, 1);
}

void shell_loop::abort_waiting() {
    while (auto message = channels_.read(line::shell)) {
        waiting_.push_back({std::move(*message), fate::to_be_handled});
    }
    for (auto& each : waiting_) {
        if (each.message.header().value("msg_type", "") == "execute_request") {
            each.verdict = fate::aborted;
        }
    }
}

void shell_loop::run() {
    while (!stop_.given()) {
        step();
    }
}

void shell_loop::step() {
    bool const stopping = shutdown_.requested(); // then what is queued stays unanswered
    if (!stopping && waiting_.empty()) {
        if (auto message = channels_.read(line::shell)) {
            waiting_.push_back({std::move(*message), fate::to_be_handled});
        }
    }
    if (!stopping && !waiting_.empty()) {
        waiting next = std::move(waiting_.front());
        waiting_.pop_front();
        deliver_(std::move(next.message), next.verdict);
        return;
    }
    int const descriptors[] = {stop_.descriptor(), channels_.descriptor(line::shell)};
    if (!wait_for(std::span(descriptors).first(stopping ? 1 : 2), signals::all)) {
        handler_.signalled();
    }
}

void run_control_loop(channels& sockets, stop_signal const& stop, std::function<void(xeus::xmessage)> const& deliver) {
    while (!stop.given()) {
        try {
            if (auto message = sockets.read(line::control)) {
                deliver(std::move(*message));
                continue;
            }
        } catch (std::exception const& error) {
            std::cerr << "xcores: on the control channel: " << error.what() << std::endl;
        }
        int const descriptors[] = {stop.descriptor(), sockets.descriptor(line::control)};
        wait_for(descriptors, signals::unchanged);
    }
}

bool wait_for(std::span<int const> descriptors, signals allowed) {
    std::vector<pollfd> watched;
    for (int const descriptor : descriptors) {
        watched.push_back({descriptor, POLLIN, 0});
    }
    sigset_t none;
    sigemptyset(&none);
    timespec const limit{0, 200'000'000}; // for a change that was swallowed by a send on the same socket
    sigset_t const* const blocked = allowed == signals::all ? &none : nullptr; // null: as they are
    return ppoll(watched.data(), watched.size(), &limit, blocked) != -1 || errno != EINTR;
}

} // namespace xcores::kernel
