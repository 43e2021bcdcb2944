// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <xcores/cpython/gil_probe.hpp>
#include <xcores/os/clock.hpp>
#include <xcores/os/thread_probe.hpp>
#include <xcores/run/worker_body.hpp>

namespace xcores::executors {

template <typename T>
std::optional<T> difference(const std::optional<T>& after, const std::optional<T>& before) {
    return after && before ? std::optional<T>(*after - *before) : std::nullopt;
}

/// Runs `code` on the calling thread, without a GIL held, between exact readings.
template <typename Code>
run::usage measured(const cpython::gil_probe& probe, Code&& code) {
    run::usage used;
    const auto before = os::totals_of_this_thread();
    used.handovers_before = probe.handovers();
    const auto start = os::now();
    const auto cpu_start = os::thread_cpu_time(); // next to the wall clock: the other readings cost time themselves
    code();
    const auto cpu_end = os::thread_cpu_time();
    used.run = model::interval{start, os::now()};
    used.handovers_after = probe.handovers();
    const auto after = os::totals_of_this_thread();
    used.cpu = cpu_end - cpu_start;
    used.queue_wait = difference(after.queue_wait, before.queue_wait);
    used.voluntary_switches = difference(after.voluntary_switches, before.voluntary_switches);
    used.involuntary_switches = difference(after.involuntary_switches, before.involuntary_switches);
    used.minor_faults = difference(after.minor_faults, before.minor_faults);
    used.major_faults = difference(after.major_faults, before.major_faults);
    used.migrations = difference(after.migrations, before.migrations);
    return used;
}

} // namespace xcores::executors
