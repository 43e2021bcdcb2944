// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/run/lookout.hpp>

#include <algorithm>

#include <xcores/os/machine.hpp>

namespace xcores::run {

bool lookout::worth_it() noexcept {
    static const bool others_can_run = os::usable_cores().size() > 1;
    if (to_leave_out_.load(std::memory_order_relaxed) > 0) {
        to_leave_out_.fetch_sub(1, std::memory_order_relaxed);
        return false;
    }
    return others_can_run;
}

bool lookout::succeeded() noexcept {
    penalty_.store(0, std::memory_order_relaxed);
    return true;
}

bool lookout::failed() noexcept {
    const auto penalty = std::min(most_left_out, 2 * penalty_.load(std::memory_order_relaxed) + 1);
    penalty_.store(penalty, std::memory_order_relaxed);
    to_leave_out_.store(penalty, std::memory_order_relaxed);
    return false;
}

} // namespace xcores::run
