// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <thread>
#include <utility>

#include <sys/prctl.h>

namespace xcores::os {

/// Threads of xcores are called "xcores …"; of these, workers run the notebook's code.
inline constexpr const char* worker_thread_name = "xcores worker";

/// While one lives, threads that the calling thread starts have this name from their first moment (prctl(2): a new
/// thread inherits it). A thread that is named after it has been started can be listed in between under the name of
/// the process.
class name_for_new_threads {
public:
    /// At most 15 bytes are kept.
    explicit name_for_new_threads(const char* name) noexcept {
        prctl(PR_GET_NAME, before_);
        prctl(PR_SET_NAME, name);
    }
    ~name_for_new_threads() { prctl(PR_SET_NAME, before_); }
    name_for_new_threads(const name_for_new_threads&) = delete;
    name_for_new_threads& operator=(const name_for_new_threads&) = delete;

private:
    char before_[16] = {};
};

/// Failure: std::system_error, as of std::thread.
template <typename Function>
std::thread named_thread(const char* name, Function&& run) {
    const name_for_new_threads scope(name);
    return std::thread(std::forward<Function>(run));
}

} // namespace xcores::os
