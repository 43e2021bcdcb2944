// SPDX-License-Identifier: BSD-3-Clause
#include "interrupts.hpp"

#include <chrono>

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

} // namespace

signal_scope::signal_scope(int how) noexcept {
    sigset_t const set = all_but_faults();
    pthread_sigmask(how, &set, &before_);
}

signal_scope::~signal_scope() {
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

void interrupts::interrupt() noexcept {
    if (running()) {
        pthread_kill(main_thread_, SIGINT);
    }
}

wake_up_calls::wake_up_calls(pthread_t sleeper) {
    struct sigaction nothing = {};
    nothing.sa_handler = [](int) {};
    sigaction(SIGURG, &nothing, nullptr); // by default ignored, and an ignored signal interrupts no call
    thread_ = quiet_thread([this, sleeper] {
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
