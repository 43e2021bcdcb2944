// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/os/machine.hpp>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include <fcntl.h>
#include <sched.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <xcores/os/fd.hpp>

namespace xcores::os {

std::vector<int> usable_cores() {
    std::vector<int> cores;
    // The set's size must be at least the kernel's, which is not told beforehand: grow until it fits.
    for (int slots = 1024; slots <= 1 << 20; slots *= 2) {
        cpu_set_t* set = CPU_ALLOC(static_cast<size_t>(slots));
        const auto bytes = CPU_ALLOC_SIZE(static_cast<size_t>(slots));
        const bool fits = sched_getaffinity(0, bytes, set) == 0;
        for (int core = 0; fits && core < slots; ++core)
            if (CPU_ISSET_S(static_cast<size_t>(core), bytes, set))
                cores.push_back(core);
        CPU_FREE(set);
        if (fits)
            break;
    }
    if (cores.empty())
        for (unsigned core = 0; core < std::max(1U, std::thread::hardware_concurrency()); ++core)
            cores.push_back(static_cast<int>(core));
    return cores;
}

std::string cpu_model() {
    std::ifstream file("/proc/cpuinfo");
    for (std::string line; std::getline(file, line);)
        if (line.starts_with("model name"))
            if (const auto at = line.find(": "); at != std::string::npos)
                return line.substr(at + 2);
    return {};
}

std::string platform() {
    utsname names{};
    if (uname(&names) != 0)
        return "unknown";
    return std::string(names.sysname) + " " + names.release + " " + names.machine;
}

namespace {

std::optional<std::int64_t> resident_bytes_in(const char* path) noexcept {
    const unique_fd file(::open(path, O_RDONLY | O_CLOEXEC));
    char text[96];
    const auto size = file ? ::read(file.get(), text, sizeof text - 1) : -1;
    if (size <= 0)
        return std::nullopt;
    text[size] = 0;
    long long total = 0;
    long long resident = 0;
    if (std::sscanf(text, "%lld %lld", &total, &resident) != 2)
        return std::nullopt;
    return resident * sysconf(_SC_PAGESIZE);
}

} // namespace

std::optional<std::int64_t> resident_bytes() noexcept {
    return resident_bytes_in("/proc/self/statm");
}

std::optional<std::int64_t> resident_bytes_of(std::int64_t process) noexcept {
    char path[40];
    std::snprintf(path, sizeof path, "/proc/%lld/statm", static_cast<long long>(process));
    return resident_bytes_in(path);
}

int threads_of_this_process() noexcept {
    std::error_code unknown;
    const std::filesystem::directory_iterator threads("/proc/self/task", unknown);
    return unknown ? 0 : static_cast<int>(std::distance(threads, std::filesystem::directory_iterator()));
}

shared_view memory_shares() noexcept {
    const unique_fd file(::open("/proc/self/smaps_rollup", O_RDONLY | O_CLOEXEC));
    char text[2048];
    const auto size = file ? ::read(file.get(), text, sizeof text - 1) : -1;
    if (size <= 0)
        return {};
    text[size] = 0;
    const auto kilobytes = [&text](const char* label) -> std::optional<std::int64_t> {
        const char* line = std::strstr(text, label);
        return line ? std::optional<std::int64_t>(std::strtoll(line + std::strlen(label), nullptr, 10)) : std::nullopt;
    };
    constexpr std::int64_t unit = 1024;
    const auto proportional = kilobytes("\nPss:");
    const auto clean = kilobytes("\nPrivate_Clean:");
    const auto dirty = kilobytes("\nPrivate_Dirty:");
    shared_view seen;
    if (proportional)
        seen.proportional = *proportional * unit;
    if (clean && dirty)
        seen.unique = (*clean + *dirty) * unit;
    return seen;
}

} // namespace xcores::os
