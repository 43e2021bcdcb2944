// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/model/comparison.hpp>

#include <algorithm>

#include <xcores/model/json_parts.hpp>
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

/// From when all workers were there: the first run on new workers is compared with those on old ones.
nanoseconds ready_at(const report& from) {
    nanoseconds ready{};
    for (const worker_record& worker : from.workers)
        if (worker.startup)
            ready = std::max(ready, worker.startup->end);
    return ready;
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
    const nanoseconds running = sum.running_with_gil + sum.running_without_gil;
    return {gil_wait_share(sum), ratio(sum.blocked, known),
            running > nanoseconds{0} ? std::optional(ratio(sum.running_without_gil, running)) : std::nullopt};
}

std::optional<double> most_shared_gil(const report& from) {
    const auto most = std::ranges::max_element(from.gils, {}, [](const gil_record& gil) { return gil.workers.size(); });
    return most == from.gils.end() || most->workers.size() < 2 ? std::nullopt : held_share(from, *most);
}

/// How long of `waiting` (spans in this state) somebody had the GIL and no core to go on with.
nanoseconds stalled_by(const worker_record& holder, const worker_record& waiting) {
    nanoseconds sum{};
    auto next = waiting.spans.begin();
    for (const span& held : holder.spans) {
        if (held.state != thread_state::waiting_core || held.gil != gil_state::held)
            continue;
        while (next != waiting.spans.end() && next->end <= held.start)
            ++next;
        for (auto other = next; other != waiting.spans.end() && other->start < held.end; ++other)
            if (other->state == thread_state::waiting_gil)
                sum += std::max(nanoseconds{0}, std::min(held.end, other->end) - std::max(held.start, other->start));
    }
    return sum;
}

/// How long the worker that ended last was kept from a core: itself, or whoever held the GIL that it waited for.
nanoseconds core_wait_in(const report& from) {
    const worker_record* last = nullptr;
    for (const worker_record& worker : from.workers)
        if (worker.run && (!last || worker.run->end > last->run->end))
            last = &worker;
    if (!last || from.workers.size() > from.environment.cores.size())
        return nanoseconds{0};
    nanoseconds wait = last->queue_wait.value_or(times_of(*last).waiting_core);
    for (const worker_record& other : from.workers)
        if (&other != last)
            wait += stalled_by(other, *last);
    return wait;
}

/// The time of a round without what other programs took of it.
nanoseconds undisturbed(const configuration& one, std::size_t round) {
    const nanoseconds wall = one.walls[round];
    const nanoseconds wait = round < one.core_waits.size() ? one.core_waits[round] : nanoseconds{0};
    return wall - std::min(wait, wall - wall / 50); // the two are measured by different clocks
}

/// Whose work is the serial one's: with numbered parts there is one serial configuration for each number of workers.
const configuration* serial_for(const comparison& all, const configuration& other) {
    const auto found = std::ranges::find_if(all.configurations, [&](const configuration& one) {
        return !one.kind && (all.reading != work_reading::numbered || one.workers == other.workers);
    });
    return found == all.configurations.end() ? nullptr : &*found;
}

/// How many times the cell's work this configuration does.
double work_of(const comparison& all, const configuration& one) {
    const bool together = all.reading == work_reading::divided || all.reading == work_reading::mapped;
    return together || !one.kind ? 1.0 : static_cast<double>(one.workers);
}

json configuration_json(const configuration& one) {
    json walls = json::array();
    for (const nanoseconds wall : one.walls)
        walls.push_back(wall.count());
    json core_waits = json::array();
    for (const nanoseconds wait : one.core_waits)
        core_waits.push_back(wait.count());
    return {{"kind", one.kind ? json(name_of(*one.kind)) : json(nullptr)},
            {"workers", one.workers},
            {"wall_ns", std::move(walls)},
            {"core_wait_ns", std::move(core_waits)},
            {"startup_ns", optional_json(one.startup)},
            {"moved_bytes", optional_json(one.moved_bytes)},
            {"memory_bytes", optional_json(one.memory_bytes)},
            {"cores_busy", optional_json(one.cores_busy)},
            {"transfer", optional_json(one.transfer)},
            {"gil_wait", optional_json(one.gil_wait)},
            {"gil_held", optional_json(one.gil_held)},
            {"blocked", optional_json(one.blocked)},
            {"without_gil", optional_json(one.without_gil)},
            {"results", name_of(one.results)},
            {"failure", one.failure}};
}

configuration configuration_from(const place& from) {
    configuration one;
    if (const place kind = from.at("kind"); !kind.is_null())
        one.kind = enumerator<worker_kind>(kind, 3);
    one.workers = from.at("workers").integer<int>();
    const place walls = from.at("wall_ns");
    for (std::size_t i = 0; i < walls.size(); ++i)
        one.walls.push_back(walls.at(i).time());
    const place core_waits = from.at("core_wait_ns");
    for (std::size_t i = 0; i < core_waits.size(); ++i)
        one.core_waits.push_back(core_waits.at(i).time());
    one.startup = optional_time(from.at("startup_ns"));
    one.moved_bytes = optional_integer<std::int64_t>(from.at("moved_bytes"));
    one.memory_bytes = optional_integer<std::int64_t>(from.at("memory_bytes"));
    one.cores_busy = optional_number(from.at("cores_busy"));
    one.transfer = optional_number(from.at("transfer"));
    one.gil_wait = optional_number(from.at("gil_wait"));
    one.gil_held = optional_number(from.at("gil_held"));
    one.blocked = optional_number(from.at("blocked"));
    one.without_gil = optional_number(from.at("without_gil"));
    one.results = enumerator<agreement>(from.at("results"), 3);
    one.failure = from.at("failure").text();
    return one;
}

std::int64_t bytes_of(const std::optional<traffic>& one) {
    return one ? one->copied + one->shared : 0;
}

} // namespace

void add_round(configuration& to, const report& from) {
    const totals sum = totals_of(from);
    const nanoseconds ready = ready_at(from);
    const nanoseconds wall = from.elapsed - ready;
    to.walls.push_back(wall);
    to.core_waits.push_back(core_wait_in(from));
    const std::size_t round = to.walls.size();
    if (ready > nanoseconds{0})
        to.startup = std::max(to.startup.value_or(nanoseconds{0}), ready);
    if (sum.memory_bytes)
        to.memory_bytes = std::max(to.memory_bytes.value_or(0), *sum.memory_bytes);
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
    const double work = all.reading == work_reading::repeated ? work_of(all, one) : 1;
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

std::optional<measurement> speedup_of(const comparison& all, const configuration& one) {
    const configuration* serial = serial_for(all, one);
    if (!serial || !one.kind)
        return std::nullopt;
    const double work = all.reading == work_reading::repeated ? work_of(all, one) : 1;
    std::vector<double> factors;
    for (std::size_t i = 0; i < std::min(serial->walls.size(), one.walls.size()); ++i)
        if (one.walls[i] > nanoseconds{0})
            factors.push_back(ratio(undisturbed(*serial, i), undisturbed(one, i)) * work);
    return factors.empty() ? std::nullopt : std::optional(measured(std::move(factors)));
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
    }
    return "unknown";
}

json to_json(const comparison& from) {
    json configurations = json::array();
    for (const configuration& one : from.configurations)
        configurations.push_back(configuration_json(one));
    const recommendation use = recommendation_for(from);
    return {{"schema", comparison::schema},
            {"environment", environment_json(from.environment)},
            {"reading", name_of(from.reading)},
            {"rounds", from.rounds},
            {"interrupted", from.interrupted},
            {"configurations", std::move(configurations)},
            {"recommendation",
             {{"kind", use.kind ? json(name_of(*use.kind)) : json(nullptr)},
              {"workers", use.workers},
              {"why", name_of(use.why)},
              {"sentence", use.sentence}}}};
}

comparison comparison_from_json(const json& document) {
    const place from(document, "", "comparison");
    if (const place schema = from.at("schema"); schema.text() != comparison::schema)
        schema.fail("expected \"" + std::string(comparison::schema) + "\", not \"" + schema.text() + "\"");
    comparison all;
    all.environment = environment_from(from.at("environment"));
    all.reading = enumerator<work_reading>(from.at("reading"), 4);
    all.rounds = from.at("rounds").integer<int>();
    all.interrupted = from.at("interrupted").flag();
    const place configurations = from.at("configurations");
    for (std::size_t i = 0; i < configurations.size(); ++i)
        all.configurations.push_back(configuration_from(configurations.at(i)));
    return all;
}

} // namespace xcores::model
