// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/model/competition.hpp>

#include <algorithm>
#include <vector>

#include <xcores/model/certainty.hpp>
#include <xcores/model/summary.hpp>

namespace xcores::model {

namespace {

/// Within a few samples the order of running and waiting is not known, only how much there was of each.
constexpr int samples_per_window = 8;
constexpr std::int64_t most_windows = 64;

/// Sums over the workers, in nanoseconds.
struct demand {
    double running = 0;
    double waiting = 0;
};

double seconds_of_work(nanoseconds time) {
    return static_cast<double>(time.count());
}

nanoseconds window_of(const report& from, nanoseconds whole) {
    const nanoseconds period = std::max<nanoseconds>(sampling_interval(from), std::chrono::milliseconds{1});
    return std::max({samples_per_window * period, whole / most_windows, nanoseconds{1}});
}

void add_to_windows(std::vector<demand>& windows, const span& one, const interval& whole, nanoseconds window) {
    const nanoseconds start = std::max(one.start, whole.start) - whole.start;
    const nanoseconds end = std::min(one.end, whole.end) - whole.start;
    for (auto i = std::max<std::int64_t>(start / window, 0); i * window < end; ++i) {
        const nanoseconds part = std::min(end, (i + 1) * window) - std::max(start, i * window);
        demand& sum = windows[std::min(static_cast<std::size_t>(i), windows.size() - 1)];
        (one.state == thread_state::running ? sum.running : sum.waiting) += seconds_of_work(part);
    }
}

std::vector<demand> demands_in(const report& from, const interval& whole, nanoseconds window) {
    std::vector<demand> windows(static_cast<std::size_t>(whole.length() / window) + 1);
    for (const worker_record& worker : from.workers)
        for (const span& one : worker.spans)
            if (one.state == thread_state::running || one.state == thread_state::waiting_core)
                add_to_windows(windows, one, whole, window);
    return windows;
}

/// The operating system knows better for how long threads waited for a core: what the samples show besides was a wait
/// for something else. A thread that wakes to ask for its GIL again waits for a core as well, to no harm, so what the
/// system counts besides is no loss.
double part_that_is_true(const report& from, const std::vector<demand>& windows) {
    double waiting = 0;
    for (const demand& one : windows)
        waiting += one.waiting;
    double counted = 0;
    for (const worker_record& worker : from.workers) {
        if (worker.run && !worker.queue_wait)
            return 1;
        counted += seconds_of_work(worker.queue_wait.value_or(nanoseconds{0}));
    }
    return waiting > 0 ? std::min(1.0, counted / waiting) : 1;
}

/// Not sampled: as if it had been the same all the time.
std::optional<std::vector<demand>> overall_demand(const report& from) {
    demand sum;
    for (const worker_record& worker : from.workers) {
        if (!worker.run)
            continue;
        if (!worker.cpu || !worker.queue_wait)
            return std::nullopt;
        sum.running += seconds_of_work(*worker.cpu);
        sum.waiting += seconds_of_work(*worker.queue_wait);
    }
    return std::vector{sum};
}

/// What no number of free cores makes shorter: the time for which threads ran with one and the same GIL.
nanoseconds serial_part(const report& from) {
    nanoseconds longest{};
    for (const gil_record& gil : from.gils) {
        nanoseconds held{};
        for (const int worker : gil.workers)
            held += times_of(from.workers[static_cast<std::size_t>(worker)]).running_with_gil;
        longest = std::max(longest, held);
    }
    return longest;
}

} // namespace

std::optional<nanoseconds> lost_to_others(const report& from) {
    const auto running = totals_of(from).running;
    const auto cores = static_cast<double>(from.environment.cores.size());
    if (!running || running->length() <= nanoseconds{0} || cores < 1)
        return std::nullopt;
    const bool sampled = std::ranges::any_of(from.workers, [](const auto& one) { return !one.spans.empty(); });
    const nanoseconds window = sampled ? window_of(from, running->length()) : running->length();
    const auto windows = sampled ? std::optional(demands_in(from, *running, window)) : overall_demand(from);
    if (!windows)
        return std::nullopt;
    const double part = part_that_is_true(from, *windows);
    double lost = 0;
    for (std::size_t i = 0; i < windows->size(); ++i) {
        const demand& one = (*windows)[i];
        const auto length = std::min(window, running->length() - static_cast<std::int64_t>(i) * window);
        if (one.running + one.waiting <= 0 || length <= nanoseconds{0})
            continue;
        const double all = cores * seconds_of_work(length);
        const double wanted = std::min(all, one.running + part * one.waiting);
        lost += seconds_of_work(length) * (1 - std::min(1.0, one.running / wanted)) *
                std::min(1.0, (one.running + part * one.waiting) / seconds_of_work(length));
    }
    const auto most = std::max(nanoseconds{0}, running->length() - serial_part(from));
    return std::min(most, nanoseconds{static_cast<std::int64_t>(lost)});
}

} // namespace xcores::model
