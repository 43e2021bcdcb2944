// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/os/task_probe.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace xcores::os {
namespace {

// How Linux makes the number of a CPU clock from that of a process or thread (clock_getcpuclockid(3) does so for
// processes; for the threads of others there is no function).
constexpr clockid_t scheduler_clock = 2;
constexpr clockid_t of_one_thread = 4;

clockid_t clock_of(std::int64_t id, clockid_t flags) {
    return static_cast<clockid_t>(~static_cast<clockid_t>(id) * 8) | flags;
}

unique_fd opened(const std::string& path) {
    return unique_fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
}

/// The numbers that are the names in a folder of /proc. Ends where the folder does: it may vanish while it is read.
std::vector<std::int64_t> numbers_in(const std::string& folder) {
    std::vector<std::int64_t> numbers;
    std::error_code gone;
    for (std::filesystem::directory_iterator each(folder, gone), end; !gone && each != end; each.increment(gone))
        if (const long long number = std::atoll(each->path().filename().c_str()); number > 0)
            numbers.push_back(number);
    return numbers;
}

std::vector<std::int64_t> children_of(std::int64_t process) {
    std::vector<std::int64_t> children;
    const std::string folder = "/proc/" + std::to_string(process) + "/task/";
    for (const auto thread : numbers_in(folder)) {
        std::ifstream file(folder + std::to_string(thread) + "/children");
        for (std::int64_t child = 0; file >> child;)
            children.push_back(child);
    }
    return children;
}

} // namespace

task_probe::task_probe(std::string folder, clockid_t clock, bool is_thread)
    : folder_(std::move(folder)), clock_(clock), is_thread_(is_thread) {}

task_probe task_probe::of_thread(std::int64_t native_id) {
    return {"/proc/self/task/" + std::to_string(native_id) + "/", clock_of(native_id, scheduler_clock | of_one_thread),
            true};
}

task_probe task_probe::of_process(std::int64_t process_id) {
    return {"/proc/" + std::to_string(process_id) + "/", clock_of(process_id, scheduler_clock), false};
}

nanoseconds task_probe::cpu_time() const noexcept {
    return read_clock(clock_);
}

task_probe::standing task_probe::look() noexcept {
    if (!stat_)
        stat_ = opened(folder_ + "stat");
    char text[1024];
    const auto size = stat_ ? ::pread(stat_.get(), text, sizeof text - 1, 0) : -1;
    if (size <= 0)
        return {};
    text[size] = 0;
    // The second field is the name in parentheses, which may hold anything; see proc_pid_stat(5) for the others.
    const char* at = std::strrchr(text, ')');
    if (!at || !at[1])
        return {};
    standing seen{at[2], -1};
    constexpr int first_after_name = 2;
    constexpr int field_of_core = 39;
    for (int field = first_after_name; at && field < field_of_core; ++field)
        at = std::strchr(at + 1, ' ');
    if (at)
        seen.core = std::atoi(at);
    return seen;
}

thread_probe::situation task_probe::situation() noexcept {
    if (!is_thread_)
        return {};
    if (!system_call_)
        system_call_ = opened(folder_ + "syscall");
    return situation_in(system_call_);
}

std::optional<nanoseconds> task_probe::began() const {
    std::ifstream file(folder_ + "stat");
    std::string text;
    std::getline(file, text);
    const auto name_end = text.rfind(')'); // the second field
    if (name_end == std::string::npos)
        return std::nullopt;
    std::istringstream fields(text.substr(name_end + 1));
    constexpr int fields_between = 19; // state to itrealvalue
    std::string skipped;
    for (int field = 0; field < fields_between; ++field)
        fields >> skipped;
    std::int64_t ticks = 0; // since the machine was started, times asleep included
    if (!(fields >> ticks))
        return std::nullopt;
    const auto since_start = nanoseconds{std::chrono::seconds{ticks}} / ::sysconf(_SC_CLK_TCK);
    return since_start - (read_clock(CLOCK_BOOTTIME) - now());
}

std::optional<nanoseconds> task_probe::queue_wait() const {
    std::ifstream file(folder_ + "schedstat");
    std::int64_t on_core = 0;
    std::int64_t waited = 0;
    return is_thread_ && file >> on_core >> waited ? std::optional(nanoseconds{waited}) : std::nullopt;
}

std::string task_probe::command() const {
    std::ifstream file(folder_ + "comm");
    std::string name;
    std::getline(file, name);
    return name;
}

thread_list::thread_list() noexcept : folder_(::open("/proc/self/task", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {}

std::vector<std::int64_t> thread_list::read() const {
    return numbers_in("/proc/self/task");
}

std::optional<std::uint64_t> thread_list::count() const noexcept {
    struct stat facts{};
    if (!folder_ || ::fstat(folder_.get(), &facts) != 0)
        return std::nullopt;
    return facts.st_nlink; // every thread is a folder in it, and so a link to it
}

std::vector<std::int64_t> processes_below_this() {
    std::vector<std::int64_t> all = children_of(::getpid());
    for (std::size_t i = 0; i < all.size(); ++i)
        for (const auto one : children_of(all[i]))
            all.push_back(one);
    std::erase_if(all, [](std::int64_t id) { return task_probe::of_process(id).look().state == 'Z'; });
    return all;
}

birth_watch::birth_watch() noexcept : load_(::open("/proc/loadavg", O_RDONLY | O_CLOEXEC)), newest_(newest()) {}

bool birth_watch::any() noexcept {
    const auto before = std::exchange(newest_, newest());
    return newest_ < 0 || newest_ != before;
}

long birth_watch::newest() const noexcept {
    char text[128];
    const auto size = load_ ? ::pread(load_.get(), text, sizeof text - 1, 0) : -1;
    text[std::max<ssize_t>(size, 0)] = 0;
    const char* last = std::strrchr(text, ' '); // see proc_loadavg(5)
    return last ? std::atol(last + 1) : -1;
}

} // namespace xcores::os
