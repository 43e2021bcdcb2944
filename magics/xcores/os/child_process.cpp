// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/os/child_process.hpp>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <system_error>

#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace xcores::os {
namespace {

struct file_actions {
    posix_spawn_file_actions_t value;
    file_actions() { posix_spawn_file_actions_init(&value); }
    ~file_actions() { posix_spawn_file_actions_destroy(&value); }
};

struct attributes {
    posix_spawnattr_t value;
    attributes() {
        posix_spawnattr_init(&value);
        sigset_t interrupt, all;
        sigemptyset(&interrupt);
        sigaddset(&interrupt, SIGINT);
        sigfillset(&all);
        posix_spawnattr_setsigmask(&value, &interrupt); // our worker threads block all; the child must not inherit that
        posix_spawnattr_setsigdefault(&value, &all);
        posix_spawnattr_setpgroup(&value, 0); // Ctrl-C in a terminal is for us; we pass it on as an interrupt
        posix_spawnattr_setflags(&value, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    }
    ~attributes() { posix_spawnattr_destroy(&value); }
};

} // namespace

child_process::child_process(const std::vector<std::string>& command, const std::vector<std::pair<int, int>>& inherited,
                             const std::string& variable) {
    file_actions actions;
    int last = STDERR_FILENO;
    for (const auto& [here, there] : inherited) {
        posix_spawn_file_actions_adddup2(&actions.value, here, there);
        last = std::max(last, there);
    }
    posix_spawn_file_actions_addclosefrom_np(&actions.value, last + 1);
    attributes how;
    std::vector<char*> argv;
    for (const auto& argument : command)
        argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    std::vector<char*> variables;
    if (!variable.empty())
        variables.push_back(const_cast<char*>(variable.c_str()));
    for (char** entry = environ; entry && *entry; ++entry)
        variables.push_back(*entry);
    variables.push_back(nullptr);
    const int error = posix_spawn(&id_, argv.front(), &actions.value, &how.value, argv.data(), variables.data());
    if (error != 0)
        throw std::system_error(error, std::generic_category(), "starting " + command.front());
    handle_ = unique_fd(static_cast<int>(::syscall(SYS_pidfd_open, id_, 0)));
}

child_process::~child_process() {
    if (!reaped_) {
        signal(SIGKILL);
        wait();
    }
}

void child_process::signal(int number) noexcept {
    const std::lock_guard lock(mutex_);
    if (!reaped_)
        ::kill(id_, number);
}

void child_process::signal_group(int number) noexcept {
    const std::lock_guard lock(mutex_);
    if (!reaped_)
        ::kill(-id_, number);
}

exit_status child_process::wait() noexcept {
    siginfo_t info{};
    // Leave it a zombie first: until the id is released under the lock, signal() can only hit our own child.
    while (waitid(P_PID, static_cast<id_t>(id_), &info, WEXITED | WNOWAIT) != 0 && errno == EINTR) {
    }
    const std::lock_guard lock(mutex_);
    if (reaped_)
        return {};
    reaped_ = true;
    ::kill(-id_, SIGTERM);
    int status = 0;
    pid_t got = -1;
    while ((got = waitpid(id_, &status, 0)) < 0 && errno == EINTR) {
    }
    if (got != id_)
        return {};
    if (WIFEXITED(status))
        return {WEXITSTATUS(status), std::nullopt};
    return {std::nullopt, WTERMSIG(status)};
}

std::string signal_name(int number) {
    const char* abbreviation = sigabbrev_np(number);
    const char* description = sigdescr_np(number);
    if (!abbreviation || !description)
        return "signal " + std::to_string(number);
    return "SIG" + std::string(abbreviation) + " (" + description + ")";
}

} // namespace xcores::os
