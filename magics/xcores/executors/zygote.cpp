// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/executors/zygote.hpp>

#include <array>
#include <cerrno>
#include <csignal>
#include <system_error>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <xcores/executors/own_forks.hpp>
#include <xcores/executors/worker_program.hpp>

namespace xcores::executors {
namespace {

using wire::kind;

void end_if_alone(int) noexcept {
    const int kept = errno;
    pollfd entry{worker_socket(), POLLRDHUP, 0};
    if (::poll(&entry, 1, 0) > 0 && (entry.revents & (POLLRDHUP | POLLHUP)) != 0)
        end_all();
    errno = kept;
}

/// The ends of children, as a descriptor to wait on.
class child_ends {
public:
    child_ends() {
        sigemptyset(&set_);
        sigaddset(&set_, SIGCHLD);
        sigprocmask(SIG_BLOCK, &set_, nullptr);
        fd_ = os::unique_fd(::signalfd(-1, &set_, SFD_CLOEXEC | SFD_NONBLOCK));
    }
    int fd() const noexcept { return fd_.get(); }
    void consume() noexcept {
        signalfd_siginfo about{};
        while (::read(fd_.get(), &about, sizeof about) > 0) {
        }
    }
    /// In a child: back to normal.
    void undo() noexcept {
        sigprocmask(SIG_UNBLOCK, &set_, nullptr);
        fd_.reset();
    }

private:
    sigset_t set_{};
    os::unique_fd fd_;
};

/// What comes from outside then has higher numbers than the standard streams, so that placing one cannot overwrite
/// another.
void reserve_low_descriptors() {
    int fd = -1;
    do {
        fd = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    } while (fd >= 0 && fd <= STDERR_FILENO);
    ::close(fd);
}

class zygote {
public:
    zygote(const nlohmann::json& hello, wire::inbox& inbox, pid_t kernel) : inbox_(inbox), program_(hello) {
        reserve_low_descriptors();
        kernel_ = os::unique_fd(static_cast<int>(::syscall(SYS_pidfd_open, kernel, 0)));
        if (auto moved = hidden(kernel_.get()))
            kernel_ = std::move(moved);
        if (!kernel_ || ::getppid() != kernel)
            end_all();
        wire::send(worker_socket(), kind::ready);
    }

    void serve() {
        for (;;) {
            std::array<pollfd, 2> entries{{{worker_socket(), POLLIN, 0}, {ends_.fd(), POLLIN, 0}}};
            const bool more = inbox_.has_more();
            if (::poll(entries.data(), entries.size(), more ? 0 : -1) < 0 && errno != EINTR)
                throw std::system_error(errno, std::generic_category(), "poll");
            if (entries[1].revents != 0)
                reap();
            if (entries[0].revents == 0 && !more)
                continue;
            auto message = inbox_.receive();
            if (!message)
                end_all();
            if (message->what == kind::load)
                load(std::move(message->content));
            else if (message->what == kind::unload)
                program_.unload();
            else if (message->what == kind::fork && fork(std::move(message->descriptors)))
                return;
        }
    }

private:
    void load(run::payload input) {
        try {
            program_.load(std::move(input));
            // A process with threads must not be forked: some may hold locks.
            const bool may_be_forked = os::threads_of_this_process() == 1 && program_.may_be_copied();
            wire::send(worker_socket(), kind::loaded,
                       {{"may_be_forked", may_be_forked}, {"import_ns", program_.import_time().count()}});
        } catch (const cpython::error& error) {
            program_.unload();
            wire::send(worker_socket(), kind::failed, {{"message", error.what()}});
        }
    }

    /// True in the child, when it has done its work.
    bool fork(std::vector<os::unique_fd> descriptors) {
        const pid_t child = program_.fork();
        if (child == 0) {
            auto memory = become_worker(std::move(descriptors));
            wire::inbox own(worker_socket());
            program_.serve(own, std::move(memory));
            program_.end();
            return true;
        }
        if (child < 0) {
            wire::send(worker_socket(), kind::failed,
                       {{"message", std::system_error(errno, std::generic_category(), "fork").what()}});
            return false;
        }
        children_.push_back(child);
        ::setpgid(child, child); // it does so itself: whoever comes first
        const os::unique_fd handle(static_cast<int>(::syscall(SYS_pidfd_open, child, 0)));
        const std::array<int, 1> passed{handle.get()};
        wire::send(worker_socket(), kind::forked, {{"id", child}}, {nullptr, nullptr, passed});
        return false;
    }

    /// What it shares with the kernel.
    os::unique_fd become_worker(std::vector<os::unique_fd> descriptors) {
        ::setpgid(0, 0); // before anything that ends a whole group
        struct sigaction action{};
        action.sa_handler = SIG_DFL;
        sigaction(SIGIO, &action, nullptr);
        ends_.undo();
        ::dup2(descriptors.at(0).get(), STDOUT_FILENO);
        ::dup2(descriptors.at(1).get(), STDERR_FILENO);
        ::dup3(descriptors.at(2).get(), worker_socket(), O_CLOEXEC);
        end_with_process(kernel_.get());
        return std::move(descriptors.at(3));
    }

    void reap() {
        ends_.consume();
        std::erase_if(children_, [](pid_t child) {
            int status = 0;
            siginfo_t end{};
            if (::waitid(P_PID, static_cast<id_t>(child), &end, WEXITED | WNOHANG | WNOWAIT) != 0 ||
                end.si_pid != child)
                return false;
            ::kill(-child, SIGTERM); // what it has started: the id is its own until it is reaped
            ::waitpid(child, &status, 0);
            const bool by_signal = WIFSIGNALED(status);
            wire::send(worker_socket(), kind::ended,
                       {{"id", child},
                        {"by_signal", by_signal},
                        {"value", by_signal ? WTERMSIG(status) : WEXITSTATUS(status)}});
            return true;
        });
    }

    wire::inbox& inbox_;
    child_ends ends_;
    os::unique_fd kernel_; ///< a handle of the process that started us
    worker_program program_;
    std::vector<pid_t> children_;
};

} // namespace

void end_with_socket() {
    struct sigaction action{};
    action.sa_handler = end_if_alone;
    action.sa_flags = SA_RESTART;
    sigaction(SIGIO, &action, nullptr);
    cut_off_copies(worker_socket(), end_if_alone);
    ::fcntl(worker_socket(), F_SETOWN, ::getpid());
    ::fcntl(worker_socket(), F_SETFL, ::fcntl(worker_socket(), F_GETFL) | O_ASYNC);
    end_if_alone(SIGIO); // it may have ended before
}

void be_zygote(const nlohmann::json& hello, wire::inbox& inbox, pid_t kernel) {
    zygote(hello, inbox, kernel).serve();
}

} // namespace xcores::executors
