// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <fstream>
#include <string>

#include <unistd.h>

#include <xcores/model/summary.hpp>

/// On a machine that other programs use too, of a part of the time nobody knows what a worker did. What a test says of
/// shares is said of the rest.
namespace xcores::test {

/// Without the time in which other programs kept the sampler from looking, or from looking often enough.
inline model::nanoseconds known(const model::state_times& times) {
    return times.sampled - times.unknown - times.running_unclear;
}

/// Of that, what the worker did not spend waiting for a core that others had.
inline model::nanoseconds undisturbed(const model::state_times& times) {
    return known(times) - times.waiting_core;
}

/// What the host has taken from this virtual machine, all cores together, since it was started.
inline model::nanoseconds stolen() {
    constexpr int fields_before = 7; // user, nice, system, idle, iowait, irq, softirq: see proc_stat(5)
    std::ifstream file("/proc/stat");
    std::string name;
    std::int64_t ticks = 0;
    file >> name;
    for (int field = 0; field <= fields_before; ++field)
        file >> ticks;
    return model::nanoseconds{std::chrono::seconds{ticks}} / ::sysconf(_SC_CLK_TCK);
}

} // namespace xcores::test
