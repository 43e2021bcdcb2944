// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/executors/line_writer.hpp>

#include <algorithm>
#include <cerrno>
#include <utility>

#include <unistd.h>

namespace xcores::executors {

void line_writer::write(run::stream to, std::string_view text) {
    const std::lock_guard lock(mutex_);
    const bool asked = text.empty();
    written_ = written_ || !asked;
    auto& held = held_[to == run::stream::standard_error];
    held += text;
    constexpr std::size_t enough = 8192;
    if (!holding_ && (asked || held.size() >= enough || text.find('\n') != std::string_view::npos))
        flush(to, held);
}

bool line_writer::flush() {
    const std::lock_guard lock(mutex_);
    flush(run::stream::standard_output, held_[0]);
    flush(run::stream::standard_error, held_[1]);
    return std::exchange(written_, false);
}

void line_writer::hold() {
    const std::lock_guard lock(mutex_);
    holding_ = true;
}

void line_writer::pass() {
    const std::lock_guard lock(mutex_);
    holding_ = false;
}

void line_writer::drop() {
    const std::lock_guard lock(mutex_);
    held_ = {};
    written_ = false;
}

void line_writer::flush(run::stream to, std::string& held) {
    std::string_view rest = held;
    while (!rest.empty()) {
        const auto written = ::write(static_cast<int>(to), rest.data(), rest.size());
        if (written < 0 && errno != EINTR)
            break; // the reader is gone, and with it soon this process
        rest.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(written, 0)));
    }
    held.clear();
}

} // namespace xcores::executors
