// SPDX-License-Identifier: BSD-3-Clause
#include "crash_log.hpp"

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstring>
#include <poll.h>
#include <unistd.h>

namespace xcores::kernel {

namespace {

constexpr std::array<int, 5> fatal_signals{SIGSEGV, SIGFPE, SIGABRT, SIGBUS, SIGILL};
constexpr std::size_t capacity = 8 * 1024;

// A signal handler has nothing but static memory.
std::array<struct sigaction, fatal_signals.size()> before;
std::array<int, 2> pipes{-1, -1};
int log_descriptor = -1;
pid_t owner = 0;
char recent[capacity];
std::atomic<std::size_t> recent_size = 0;
std::atomic<pid_t> reader = 0; // the thread that has text which is noted nowhere
constexpr int longest_wait_ms = 200;
char rest[capacity];

void write_all(char const* text, std::size_t size) noexcept {
    while (size > 0) {
        auto const written = write(log_descriptor, text, size);
        if (written <= 0) {
            return;
        }
        text += written;
        size -= static_cast<std::size_t>(written);
    }
}

// Not for ever: it may itself be about to crash.
void wait_for_reader() noexcept {
    for (int ms = 0; ms < longest_wait_ms && reader != 0 && reader != gettid(); ++ms) {
        poll(nullptr, 0, 1);
    }
}

void on_crash(int number) noexcept {
    if (getpid() == owner) { // not in a forked child, which would take what is the parent's
        wait_for_reader();
        write_all(recent, recent_size);
        for (int const each : pipes) {
            for (ssize_t got = 0; (got = read(each, rest, sizeof rest)) > 0;) {
                write_all(rest, static_cast<std::size_t>(got));
            }
        }
    }
    for (std::size_t i = 0; i < fatal_signals.size(); ++i) {
        if (fatal_signals[i] == number) {
            sigaction(number, &before[i], nullptr);
        }
    }
    raise(number);
}

} // namespace

void crash_log::start(std::array<int, 2> read_ends, int log) noexcept {
    pipes = read_ends;
    log_descriptor = log;
    owner = getpid();
    recent_size = 0;
    struct sigaction action{};
    action.sa_handler = on_crash;
    action.sa_flags = SA_NODEFER | SA_ONSTACK; // faulthandler raises the signal again from within its own handler
    for (std::size_t i = 0; i < fatal_signals.size(); ++i) {
        sigaction(fatal_signals[i], &action, &before[i]);
    }
}

crash_log::reading::reading() noexcept {
    reader = gettid();
}

crash_log::reading::~reading() {
    reader = 0;
}

void crash_log::note(std::string_view text) noexcept {
    static std::chrono::steady_clock::time_point latest;
    auto const current = std::chrono::steady_clock::now();
    std::size_t kept = current - latest < std::chrono::seconds(1) ? recent_size.load() : 0;
    latest = current;
    text = text.substr(text.size() - std::min(text.size(), capacity));
    if (kept + text.size() > capacity) {
        kept = 0;
    }
    std::memcpy(recent + kept, text.data(), text.size());
    recent_size = kept + text.size();
}

void crash_log::stop() noexcept {
    owner = 0;
}

} // namespace xcores::kernel
