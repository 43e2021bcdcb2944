// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <optional>

#include <xcores/os/clock.hpp>
#include <xcores/os/parents_fd.hpp>

namespace xcores::os {

/// For how long one thread of this process could run and had no core: the second figure of /proc/self/task/ID/schedstat
/// (Documentation/scheduler/sched-stats.rst of Linux). A wait counts when it ends.
///
/// - Thread: any.
/// - Failure: empty where the system does not tell, or the thread has ended.
class run_queue {
public:
    explicit run_queue(std::int64_t native_id);
    std::optional<nanoseconds> waited() const noexcept; ///< since the thread began; one pread

private:
    const parents_fd schedstat_;
};

} // namespace xcores::os
