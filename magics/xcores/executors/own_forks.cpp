// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/executors/own_forks.hpp>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <string_view>
#include <system_error>

#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <xcores/cpython/forks.h>
#include <xcores/executors/process.hpp>

namespace xcores::executors {
namespace {

std::atomic<bool> makes_worker = false;
std::atomic<bool> copied = false;
int dead_end = -1;
int socket_of_worker = -1;
void (*handler_of_worker)(int) = nullptr;

// In the child of fork(2), where only async-signal-safe functions may be called. Programs that a worker starts do not
// come here: for them the descriptors are closed on exec.
void cut_off() {
    if (makes_worker)
        return;
    copied = true;
    ::dup3(dead_end, socket_of_worker, O_CLOEXEC);
    for (const int number : {SIGTERM, SIGIO}) {
        struct sigaction action{};
        sigaction(number, nullptr, &action);
        if (action.sa_handler != handler_of_worker)
            continue;
        action.sa_handler = SIG_DFL;
        sigaction(number, &action, nullptr);
    }
}

} // namespace

void cut_off_copies(int socket, void (*ending)(int)) {
    handler_of_worker = ending;
    socket_of_worker = socket;
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        throw std::system_error(errno, std::generic_category(), "socketpair");
    ::close(ends[1]);
    dead_end = ::fcntl(ends[0], F_DUPFD_CLOEXEC, worker_log_fd + 1);
    ::close(ends[0]);
    ::pthread_atfork(nullptr, nullptr, cut_off);
    xcores_leave_interpreters_at_fork(); // the code may make interpreters of its own
}

worker_fork::worker_fork() noexcept {
    makes_worker = true;
}

worker_fork::~worker_fork() {
    makes_worker = false;
}

bool is_copy() noexcept {
    return copied;
}

void end_copy(const model::outcome& how) noexcept {
    for (std::string_view rest = how.traceback; !rest.empty();) {
        const auto written = ::write(STDERR_FILENO, rest.data(), rest.size());
        if (written < 0 && errno != EINTR)
            break;
        rest.remove_prefix(written > 0 ? static_cast<std::size_t>(written) : 0);
    }
    const bool returned = how.kind == model::outcome_kind::returned;
    ::_exit(how.code.value_or(returned ? 0 : 1));
}

} // namespace xcores::executors
