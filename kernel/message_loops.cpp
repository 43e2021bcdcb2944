// SPDX-License-Identifier: BSD-3-Clause
#include "message_loops.hpp"

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <poll.h>
#include <pthread.h>
#include <span>
#include <string>
#include <sys/eventfd.h>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <vector>
#include <zmq.h>

namespace xcores::kernel {

namespace {

constexpr char const* name_of_threads = "xcores server";

/// proc(5): stat is "id (name) state …".
bool server_threads_sleep() {
    for (auto const& task : std::filesystem::directory_iterator("/proc/self/task")) {
        std::string line;
        std::getline(std::ifstream(task.path() / "stat"), line);
        auto const end_of_name = line.rfind(')');
        if (line.find(std::string("(") + name_of_threads + ")") != std::string::npos &&
            line.compare(end_of_name, 3, ") S") != 0) {
            return false;
        }
    }
    return true;
}

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
    pthread_setname_np(pthread_self(), name_of_threads);
}

void shell_loop::wait_for_threads() {
    using namespace std::chrono_literals;
    auto const deadline = std::chrono::steady_clock::now() + 2s;
    constexpr int convincing = 2; // a lock makes a thread sleep, too, for a moment
    for (int asleep = 0; asleep < convincing && std::chrono::steady_clock::now() < deadline;) {
        asleep = server_threads_sleep() ? asleep + 1 : 0;
        std::this_thread::sleep_for(200us);
    }
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
