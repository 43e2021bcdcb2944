// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/os/thread_probe.hpp>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include <fcntl.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/rseq.h>
#include <sys/syscall.h>

#include <xcores/os/machine.hpp>

namespace xcores::os {
namespace {

const volatile std::uint32_t* core_field() noexcept {
    if (__rseq_size == 0) // glibc did not register it: an old kernel, or switched off by a tunable
        return nullptr;
    const auto* area = static_cast<const char*>(__builtin_thread_pointer()) + __rseq_offset;
    return &reinterpret_cast<const volatile struct rseq*>(area)->cpu_id;
}

/// The start of a small file; empty when it cannot be read.
std::string contents_of(const char* path) noexcept {
    const unique_fd file(::open(path, O_RDONLY | O_CLOEXEC));
    char text[2048];
    const auto size = file ? ::read(file.get(), text, sizeof text) : -1;
    return size > 0 ? std::string(text, static_cast<std::size_t>(size)) : std::string();
}

} // namespace

thread_probe::thread_probe() noexcept
    : core_(core_field()), thread_(pthread_self()), native_id_(::syscall(SYS_gettid)) {
    if (pthread_getcpuclockid(thread_, &clock_) != 0)
        clock_ = -1;
    const auto path = "/proc/self/task/" + std::to_string(native_id_) + "/syscall";
    system_call_ = unique_fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
}

int thread_probe::core() const noexcept {
    if (!core_)
        return -1;
    const auto core = static_cast<int>(*core_);
    return core < 0 ? -1 : core;
}

nanoseconds thread_probe::cpu_time() const noexcept {
    return read_clock(clock_);
}

thread_probe::situation thread_probe::look() const noexcept {
    if (pthread_equal(thread_, pthread_self()))
        return {activity::runnable, 0};
    return situation_in(system_call_);
}

thread_probe::situation situation_in(const unique_fd& system_call) noexcept {
    using activity = thread_probe::activity;
    char text[256];
    const auto size = system_call ? ::pread(system_call.get(), text, sizeof text - 1, 0) : -1;
    if (size <= 0)
        return {};
    text[size] = 0;
    if (std::strncmp(text, "running", 7) == 0)
        return {activity::runnable, 0};
    char* rest = nullptr;
    const long number = std::strtol(text, &rest, 10);
    const auto first = std::strtoul(rest, nullptr, 16);
    return {activity::in_system_call, number == SYS_futex ? first : 0};
}

thread_totals totals_of_this_thread() noexcept {
    thread_totals totals;
    rusage usage{};
    if (getrusage(RUSAGE_THREAD, &usage) == 0) {
        totals.voluntary_switches = usage.ru_nvcsw;
        totals.involuntary_switches = usage.ru_nivcsw;
        totals.minor_faults = usage.ru_minflt;
        totals.major_faults = usage.ru_majflt;
    }
    long long on_core = 0;
    long long waited = 0;
    if (std::sscanf(contents_of("/proc/thread-self/schedstat").c_str(), "%lld %lld", &on_core, &waited) == 2)
        totals.queue_wait = nanoseconds{waited};
    const auto statistics = contents_of("/proc/thread-self/sched");
    if (const auto at = statistics.find("nr_migrations"); at != std::string::npos)
        if (const auto colon = statistics.find(':', at); colon != std::string::npos)
            totals.migrations = std::atoll(statistics.c_str() + colon + 1);
    return totals;
}

void block_signals_on_this_thread() noexcept {
    sigset_t all;
    sigfillset(&all);
    for (const int own : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP}) // these are about this very thread
        sigdelset(&all, own);
    pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

namespace {

void run_on(const std::vector<int>& cores) noexcept {
    const auto slots = static_cast<std::size_t>(*std::ranges::max_element(cores)) + 1;
    cpu_set_t* set = CPU_ALLOC(slots);
    if (!set)
        return;
    const auto bytes = CPU_ALLOC_SIZE(slots);
    CPU_ZERO_S(bytes, set);
    for (const int core : cores)
        CPU_SET_S(static_cast<std::size_t>(core), bytes, set);
    sched_setaffinity(0, bytes, set);
    CPU_FREE(set);
}

} // namespace

void core_choice::pin(int core) noexcept {
    if (core < 0 && before_.empty())
        return;
    if (before_.empty())
        before_ = usable_cores();
    run_on(core < 0 ? std::exchange(before_, {}) : std::vector{core});
}

} // namespace xcores::os
