// SPDX-License-Identifier: BSD-3-Clause
#include "interrupts.hpp"

#include <cerrno>
#include <chrono>
#include <semaphore.h>

namespace xcores::kernel {

namespace {

sigset_t all_but_faults() noexcept {
    sigset_t set;
    sigfillset(&set);
    for (int const fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS}) {
        sigdelset(&set, fault);
    }
    return set;
}

sem_t arrived;
std::atomic<bool> unnoticed = false;
std::atomic<void (*)(int)> pythons_handler = nullptr;
pthread_t main_thread;

/// Only the main thread tells Python. Another one, which the signal met because the main thread had it blocked, may be
/// stopped right here until long after, when the request that was meant is over: so it passes the signal on, to
/// insist().
void on_sigint(int number) {
    int const before = errno;
    unnoticed = true;
    sem_post(&arrived);
    if (pthread_equal(pthread_self(), main_thread) != 0) {
        pythons_handler.load()(number);
    }
    errno = before;
}

} // namespace

interrupts::interrupts() {
    main_thread = pthread_self();
    sem_init(&arrived, 0, 0);
    quiet_thread("xcores signals", [this] { insist(); }).detach();
}

void interrupts::handler_installed() noexcept {
    struct sigaction action;
    sigaction(SIGINT, nullptr, &action);
    if (action.sa_handler != on_sigint) {
        pythons_handler = action.sa_handler;
        action.sa_handler = on_sigint;
        sigaction(SIGINT, &action, nullptr);
    }
}

void interrupts::noticed() noexcept {
    unnoticed = false;
}

void interrupts::insist() {
    using namespace std::chrono_literals;
    for (;;) {
        while (sem_wait(&arrived) != 0) {
        }
        // Ever more rarely, for code that is deaf to it, such as a long computation in C.
        for (auto pause = 10ms; pause < 1s; pause *= 2) {
            std::this_thread::sleep_for(pause);
            std::lock_guard const lock(sending_);
            if (!unnoticed || !running()) {
                break;
            }
            pthread_kill(main_thread, SIGINT);
        }
        while (sem_trywait(&arrived) == 0) { // our own
        }
    }
}

signal_scope::signal_scope(int how) noexcept {
    sigset_t const set = all_but_faults();
    pthread_sigmask(how, &set, &before_);
}

signal_scope::~signal_scope() {
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

void interrupts::interrupt() noexcept {
    if (running()) {
        pthread_kill(main_thread, SIGINT);
    }
}

wake_up_calls::wake_up_calls(pthread_t sleeper) {
    struct sigaction nothing = {};
    nothing.sa_handler = [](int) {};
    sigaction(SIGURG, &nothing, nullptr); // by default ignored, and an ignored signal interrupts no call
    thread_ = quiet_thread("xcores waker", [this, sleeper] {
        while (!done_) {
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
            pthread_kill(sleeper, SIGURG);
        }
    });
}

wake_up_calls::~wake_up_calls() {
    done_ = true;
    thread_.join();
}

} // namespace xcores::kernel
