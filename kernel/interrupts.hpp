// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <atomic>
#include <csignal>
#include <mutex>
#include <pthread.h>
#include <thread>
#include <xcores/os/named_thread.hpp>

namespace xcores::kernel {

/// Starts a thread on which every signal is blocked: signals are for the main thread, where Python handles them. Its
/// name, of 15 characters at most, begins with "xcores ", by which it is told from threads of the notebook's code.
template <class Function>
std::thread quiet_thread(char const* name, Function function);

/// While one lives, the calling thread's signals are blocked, or let through, but for those that report its own faults.
/// The main thread lets them through where user code runs and where it waits; elsewhere they would make calls of libzmq
/// fail half-way.
class signal_scope {
public:
    static signal_scope blocked() noexcept { return signal_scope(SIG_BLOCK); }
    static signal_scope allowed() noexcept { return signal_scope(SIG_UNBLOCK); }
    ~signal_scope();
    signal_scope(signal_scope const&) = delete;
    signal_scope& operator=(signal_scope const&) = delete;

private:
    explicit signal_scope(int how) noexcept;
    sigset_t before_;
};

/// Ends what the main thread is running, with SIGINT, which Python turns into KeyboardInterrupt and which also ends
/// system calls such as a sleep. With nothing running it does nothing.
///
/// A signal that arrives just before such a call begins does not end it, and Python's handler, which runs between two
/// bytecodes, has to wait for it. So the signal is sent again until Python has noticed it, however it was sent first.
///
/// - Thread: constructed on the main thread, once; interrupt(), noticed() and running() on any.
/// - GIL: not needed.
/// - Lifetime: until the process ends.
class interrupts {
public:
    interrupts();
    interrupts(interrupts const&) = delete;
    interrupts& operator=(interrupts const&) = delete;

    /// To be called when Python's own handler has been made ours (user_code::on_signal), which calls noticed().
    static void handler_installed() noexcept;
    static void noticed() noexcept;

    /// While one lives, interrupt() is effective. Main thread only; may nest.
    class scope {
    public:
        explicit scope(interrupts& owner) noexcept : owner_(owner) { ++owner_.running_; }
        ~scope() { --owner_.running_; }
        scope(scope const&) = delete;
        scope& operator=(scope const&) = delete;

    private:
        interrupts& owner_;
    };

    /// Begins a request: an interrupt that came before is not for it. `settle` handles what is pending on this thread.
    template <class Function>
    void begin(Function settle) {
        std::lock_guard const lock(sending_); // nobody is about to send one again for the request before
        settle();
        noticed();
    }

    void interrupt() noexcept;
    bool running() const noexcept { return running_ > 0; }

private:
    [[noreturn]] void insist();

    std::mutex sending_;
    std::atomic<int> running_ = 0;
};

/// While one lives, blocking system calls of the thread that made it return with EINTR every few milliseconds, by
/// SIGURG, which that thread must let through.
class wake_up_calls {
public:
    wake_up_calls() : wake_up_calls(pthread_self()) {}
    explicit wake_up_calls(pthread_t sleeper);
    ~wake_up_calls();
    wake_up_calls(wake_up_calls const&) = delete;
    wake_up_calls& operator=(wake_up_calls const&) = delete;

private:
    std::atomic<bool> done_ = false;
    std::thread thread_;
};

template <class Function>
std::thread quiet_thread(char const* name, Function function) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); // a new thread inherits the mask
    std::thread thread = os::named_thread(name, std::move(function));
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return thread;
}

} // namespace xcores::kernel
