// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/os/run_queue.hpp>

#include <charconv>
#include <cstdio>
#include <string_view>

#include <fcntl.h>
#include <unistd.h>

namespace xcores::os {

namespace {

unique_fd open_schedstat(std::int64_t native_id) noexcept {
    char path[64];
    std::snprintf(path, sizeof path, "/proc/self/task/%lld/schedstat", static_cast<long long>(native_id));
    return unique_fd(::open(path, O_RDONLY | O_CLOEXEC));
}

} // namespace

run_queue::run_queue(std::int64_t native_id) : schedstat_([&] { return open_schedstat(native_id); }) {}

std::optional<nanoseconds> run_queue::waited() const noexcept {
    char text[64];
    const auto size = ::pread(schedstat_.get(), text, sizeof text, 0);
    const std::string_view figures(text, size > 0 ? static_cast<std::size_t>(size) : 0);
    const auto second = figures.find(' ');
    std::int64_t waited = 0;
    if (second == figures.npos || std::from_chars(text + second + 1, text + figures.size(), waited).ec != std::errc{})
        return std::nullopt;
    return nanoseconds{waited};
}

} // namespace xcores::os
