// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/model/comparison.hpp>

#include <algorithm>

#include <xcores/model/competition.hpp>
#include <xcores/model/summary.hpp>

namespace xcores::model {

namespace {

double ratio(nanoseconds part, nanoseconds whole) {
    return whole > nanoseconds{0} ? static_cast<double>(part.count()) / static_cast<double>(whole.count()) : 0;
}

measurement measured(std::vector<double> values) {
    std::ranges::sort(values);
    const std::size_t half = values.size() / 2;
    const double median = values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
    return {values.front(), median, values.back()};
}

using phase = std::optional<interval> worker_record::*;

/// From when no worker was in this phase any more; zero: none ever was.
nanoseconds end_of(phase which, const report& from) {
    nanoseconds end{};
    for (const worker_record& worker : from.workers)
        if (worker.*which)
            end = std::max(end, (worker.*which)->end);
    return end;
}

std::optional<nanoseconds> longest(phase which, const report& from) {
    std::optional<nanoseconds> length;
    for (const worker_record& worker : from.workers)
        if (worker.*which)
            length = std::max(length.value_or(nanoseconds{0}), (worker.*which)->length());
    return length;
}

/// The running mean over rounds, in which an unknown round changes nothing.
void blend(std::optional<double>& mean, std::optional<double> next, std::size_t round) {
    if (!next)
        return;
    const double weight = mean ? 1.0 / static_cast<double>(round) : 1.0;
    mean = mean.value_or(0) * (1 - weight) + *next * weight;
}

struct shares {
    std::optional<double> gil_wait;
    std::optional<double> blocked;
    std::optional<double> without_gil;
};

shares shares_of(const report& from) {
    state_times sum;
    for (const worker_record& worker : from.workers)
        sum += times_of(worker);
    const nanoseconds known = sum.sampled - sum.unknown;
    if (known <= nanoseconds{0})
        return {};
    const nanoseconds running = sum.running_with_gil + sum.running_without_gil + sum.running_unclear;
    return {gil_wait_share(sum), ratio(sum.blocked, known),
            running > nanoseconds{0} ? std::optional(ratio(sum.running_without_gil, running)) : std::nullopt};
}

std::optional<double> most_shared_gil(const report& from) {
    const auto most = std::ranges::max_element(from.gils, {}, [](const gil_record& gil) { return gil.workers.size(); });
    return most == from.gils.end() || most->workers.size() < 2 ? std::nullopt : held_share(from, *most);
}

/// Rounds as measured.
const std::vector<nanoseconds>& walls_of(const configuration& one) {
    return one.walls;
}

/// Rounds without what other programs took of them; empty: unknown.
std::vector<nanoseconds> idle_walls_of(const configuration& one) {
    if (one.core_waits.size() != one.walls.size())
        return {};
    std::vector<nanoseconds> walls = one.walls;
    for (std::size_t i = 0; i < walls.size(); ++i)
        walls[i] -= std::min(one.core_waits[i], walls[i] - walls[i] / 50); // the two are measured by different clocks
    return walls;
}

/// Whose work is the serial one's: with numbered parts there is one serial configuration for each number of workers.
const configuration* serial_for(const comparison& all, const configuration& other) {
    const auto found = std::ranges::find_if(all.configurations, [&](const configuration& one) {
        return !one.kind && (all.reading != work_reading::numbered || one.workers == other.workers);
    });
    return found == all.configurations.end() ? nullptr : &*found;
}

/// How many times the work of serial this configuration does.
double times_the_work(const comparison& all, const configuration& one) {
    return all.reading == work_reading::repeated && one.kind ? static_cast<double>(one.workers) : 1.0;
}

double median_of(const std::vector<nanoseconds>& times) {
    std::vector<double> values;
    for (const nanoseconds time : times)
        values.push_back(static_cast<double>(time.count()));
    return measured(std::move(values)).median;
}

/// How many times as fast the second is: the ratio of the medians, with the spread of the rounds.
std::optional<measurement> quotient(const std::vector<nanoseconds>& serial, const std::vector<nanoseconds>& other,
                                    double work) {
    if (serial.empty() || other.empty() || median_of(other) <= 0)
        return std::nullopt;
    const double factor = median_of(serial) / median_of(other) * work;
    measurement all{factor, factor, factor};
    for (std::size_t i = 0; i < std::min(serial.size(), other.size()); ++i) {
        if (other[i] <= nanoseconds{0})
            continue;
        all.least = std::min(all.least, ratio(serial[i], other[i]) * work);
        all.most = std::max(all.most, ratio(serial[i], other[i]) * work);
    }
    return all;
}

std::int64_t bytes_of(const std::optional<traffic>& one) {
    return one ? one->copied + one->shared : 0;
}

} // namespace

void add_round(configuration& to, const report& from) {
    const totals sum = totals_of(from);
    const nanoseconds started = end_of(&worker_record::startup, from);
    // The first run on new workers is compared with those on old ones, which have all modules.
    const nanoseconds wall = from.elapsed - std::max(started, end_of(&worker_record::imports, from));
    to.walls.push_back(wall);
    if (const auto lost = lost_to_others(from))
        to.core_waits.push_back(std::min(*lost, wall));
    const std::size_t round = to.walls.size();
    if (started > nanoseconds{0})
        to.startup = std::max(to.startup.value_or(nanoseconds{0}), started);
    to.imports = std::max(to.imports, longest(&worker_record::imports, from));
    if (const auto memory = sum.memory_together())
        to.memory_bytes = std::max(to.memory_bytes.value_or(0), *memory);
    if (sum.bytes_in || sum.bytes_out)
        to.moved_bytes = std::max(to.moved_bytes.value_or(0), bytes_of(sum.bytes_in) + bytes_of(sum.bytes_out));
    blend(to.cores_busy, sum.cores_busy, round);
    if (sum.running)
        blend(to.transfer, std::clamp(1 - ratio(sum.running->length(), wall), 0.0, 1.0), round);
    const shares now = shares_of(from);
    blend(to.gil_wait, now.gil_wait, round);
    blend(to.blocked, now.blocked, round);
    blend(to.without_gil, now.without_gil, round);
    blend(to.gil_held, most_shared_gil(from), round);
}

std::optional<measurement> time_of(const comparison& all, const configuration& one) {
    if (one.walls.empty())
        return std::nullopt;
    const double work = times_the_work(all, one);
    std::vector<double> times;
    for (const nanoseconds wall : one.walls)
        times.push_back(static_cast<double>(wall.count()) / work);
    return measured(std::move(times));
}

std::optional<double> core_wait_of(const configuration& one) {
    if (one.core_waits.empty())
        return std::nullopt;
    nanoseconds waited{};
    nanoseconds all{};
    for (std::size_t i = 0; i < std::min(one.walls.size(), one.core_waits.size()); ++i) {
        waited += std::min(one.core_waits[i], one.walls[i]);
        all += one.walls[i];
    }
    return ratio(waited, all);
}

double disturbance_of(const comparison& all) {
    double most = 0;
    for (const configuration& one : all.configurations)
        most = std::max(most, core_wait_of(one).value_or(0));
    return most;
}

std::optional<measurement> speedup_of(const comparison& all, const configuration& one) {
    const configuration* serial = serial_for(all, one);
    return serial && one.kind ? quotient(walls_of(*serial), walls_of(one), times_the_work(all, one)) : std::nullopt;
}

namespace {

/// An estimate that no machine with so many cores could show tells nothing.
bool is_possible(const comparison& all, const configuration& one, double estimate) {
    constexpr double rounding = 1.1;
    constexpr double mostly = 0.5;
    const auto cores = static_cast<int>(all.environment.cores.size());
    const bool waits = one.blocked.value_or(0) >= mostly;
    const int most = waits || cores == 0 ? one.workers : std::min(one.workers, cores);
    return estimate <= rounding * most;
}

} // namespace

std::optional<measurement> idle_speedup_of(const comparison& all, const configuration& one) {
    const configuration* serial = serial_for(all, one);
    if (!serial || !one.kind || disturbance_of(all) < disturbing)
        return std::nullopt;
    const auto made = quotient(idle_walls_of(*serial), idle_walls_of(one), times_the_work(all, one));
    return made && is_possible(all, one, made->median) ? made : std::nullopt;
}

std::optional<double> efficiency_of(const comparison& all, const configuration& one) {
    const auto factor = speedup_of(all, one);
    return factor ? std::optional(factor->median / one.workers) : std::nullopt;
}

std::string label_of(const configuration& one) {
    if (one.kind)
        return std::string(name_of(*one.kind)) + " " + std::to_string(one.workers);
    return one.workers == 1 ? "serial" : "serial, " + std::to_string(one.workers) + " parts";
}

std::string_view name_of(work_reading reading) {
    switch (reading) {
    case work_reading::divided:
        return "divided";
    case work_reading::numbered:
        return "numbered";
    case work_reading::repeated:
        return "repeated";
    case work_reading::mapped:
        return "mapped";
    }
    return "unknown";
}

std::string_view name_of(agreement results) {
    switch (results) {
    case agreement::unknown:
        return "unknown";
    case agreement::same:
        return "same";
    case agreement::different:
        return "different";
    case agreement::varies:
        return "varies";
    }
    return "unknown";
}

} // namespace xcores::model
