// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/run/lanes.hpp>

#include <algorithm>

#include <xcores/model/overlap.hpp>

namespace xcores::run {
namespace {

using model::lane_kind;
using model::span;

/// Waking up now and then, as pools of idle threads do, takes less.
constexpr nanoseconds least_cpu = std::chrono::milliseconds{1};
constexpr int most_lanes = 256;

template <typename Condition>
nanoseconds time_in(const std::vector<span>& spans, Condition condition) {
    nanoseconds sum{};
    for (const span& one : spans)
        if (condition(one))
            sum += one.end - one.start;
    return sum;
}

nanoseconds held(const trace& one) {
    return time_in(one.spans, [](const span& each) { return each.gil == model::gil_state::held; });
}

nanoseconds waited(const trace& one) {
    return time_in(one.spans, [](const span& each) { return each.state == model::thread_state::waiting_gil; });
}

bool is_thread(const trace& one) {
    return one.what.kind != lane_kind::process;
}

bool did_something(const trace& one, const cast& known, nanoseconds period) {
    if (is_thread(one) && known.hidden.contains(one.what.id))
        return false;
    if (one.what.id == known.main_thread || one.cpu >= least_cpu)
        return true;
    switch (one.what.kind) {
    case lane_kind::python_thread:
        return !one.was_there || held(one) + waited(one) > 2 * period;
    case lane_kind::process:
        return !one.was_there;
    case lane_kind::native_thread:
    case lane_kind::worker:
        break;
    }
    return false;
}

/// Of the traces of one thread the one to show: in the interpreter whose GIL it held longest.
std::vector<trace> one_a_thread(std::vector<trace> all) {
    std::vector<trace> kept;
    for (trace& one : all) {
        const auto other = std::ranges::find_if(
            kept, [&](const trace& each) { return is_thread(each) && is_thread(one) && each.what.id == one.what.id; });
        if (other == kept.end()) {
            kept.push_back(std::move(one));
            continue;
        }
        const auto rank = [](const trace& each) {
            return std::pair(each.what.kind == lane_kind::python_thread, held(each));
        };
        const bool was_there = other->was_there || one.was_there;
        const auto start = std::min(other->seen.start, one.seen.start);
        const auto end = std::max(other->seen.end, one.seen.end);
        const auto cpu = std::max(other->cpu, one.cpu); // of the thread, whichever saw more of it
        const auto queue_wait = std::max(other->queue_wait, one.queue_wait);
        const auto sampled = other->sampled + one.sampled;
        const bool is_elsewhere = held(one) > nanoseconds{0} && held(*other) > nanoseconds{0};
        if (rank(one) > rank(*other))
            *other = std::move(one);
        if (is_elsewhere) // at times: it runs under another GIL then, or under none
            for (span& each : other->spans)
                if (each.state == model::thread_state::running && each.gil == model::gil_state::not_held)
                    each.gil = model::gil_state::unknown;
        other->was_there = was_there;
        other->seen = {start, end};
        other->cpu = cpu;
        other->queue_wait = queue_wait;
        other->sampled = sampled;
    }
    return kept;
}

std::string name_for(const trace& one, const cast& known) {
    const std::string number = std::to_string(one.what.id);
    const auto found = known.names.find(one.what.id);
    switch (one.what.kind) {
    case lane_kind::python_thread:
        return found != known.names.end() ? found->second : one.name + " " + number;
    case lane_kind::native_thread:
        return "native: " + one.name + " " + number;
    case lane_kind::process:
        return "process " + number + (one.name.empty() ? "" : " " + one.name);
    case lane_kind::worker:
        break;
    }
    return number;
}

model::worker_record lane_of(trace from, const cast& known) {
    model::worker_record lane;
    lane.lane = from.what.kind;
    lane.name = name_for(from, known);
    (is_thread(from) ? lane.native_thread_id : lane.process_id) = from.what.id;
    lane.run = from.seen;
    lane.cpu = from.cpu;
    lane.queue_wait = from.queue_wait;
    lane.how.kind = model::outcome_kind::returned;
    lane.spans = std::move(from.spans);
    return lane;
}

/// The main thread first, then the other Python threads, native threads and processes, each in order of appearance.
void sort_for_people(std::vector<trace>& traces, const cast& known) {
    std::ranges::stable_sort(
        traces, {}, [&](const trace& one) { return std::pair(one.what.id != known.main_thread, one.what.kind); });
}

/// A thread that has had the GIL and ended before it was found in Python's own lists.
void recognise_python_threads(recording& from) {
    const auto main = std::ranges::find_if(from.gils, &surroundings::gil::is_main);
    for (trace& one : from.traces)
        if (one.what.kind == lane_kind::native_thread && held(one) > nanoseconds{0}) {
            one.what.kind = lane_kind::python_thread;
            one.what.gil = static_cast<int>(main - from.gils.begin());
        }
}

/// Of those that are shown.
nanoseconds sampled_time(const std::vector<trace>& traces) {
    nanoseconds sum{};
    for (const trace& one : traces)
        sum += one.sampled;
    return sum;
}

/// Keeps those that used most CPU time, in their order.
std::size_t drop_the_least(std::vector<trace>& traces) {
    if (traces.size() <= most_lanes)
        return 0;
    std::vector<nanoseconds> times;
    for (const trace& one : traces)
        times.push_back(one.cpu);
    std::ranges::sort(times, std::greater{});
    const auto least = times[most_lanes - 1];
    const auto before = traces.size();
    std::erase_if(traces, [&](const trace& one) { return one.cpu < least; });
    traces.resize(std::min<std::size_t>(traces.size(), most_lanes));
    return before - traces.size();
}

} // namespace

model::report report_of(recording from, const cast& known, model::environment_record environment) {
    model::report result;
    result.kind = model::worker_kind::cores;
    result.environment = std::move(environment);
    result.wall = from.wall;
    result.elapsed = from.wall;
    result.sampling = from.sampling;
    recognise_python_threads(from);
    auto traces = one_a_thread(std::move(from.traces));
    std::erase_if(traces, [&](const trace& one) { return !did_something(one, known, from.sampling.period); });
    sort_for_people(traces, known);
    result.left_out = static_cast<std::int64_t>(drop_the_least(traces) + from.left_out);
    std::vector<model::gil_record> gils;
    for (const auto& one : from.gils)
        gils.push_back({one.name, {}, one.handovers});
    if (result.sampling->recorded)
        result.sampling->recorded->sampled = sampled_time(traces);
    for (trace& one : traces) {
        const auto gil = static_cast<std::size_t>(one.what.gil);
        if (one.what.gil >= 0 && gil < gils.size())
            gils[gil].workers.push_back(static_cast<int>(result.workers.size()));
        auto lane = lane_of(std::move(one), known);
        lane.index = static_cast<int>(result.workers.size());
        result.workers.push_back(std::move(lane));
    }
    std::erase_if(gils, [](const model::gil_record& one) { return one.workers.empty(); });
    result.gils = std::move(gils);
    model::settle_cores(result);
    return result;
}

model::report report_so_far(recording from, const cast& known, model::environment_record environment) {
    auto result = report_of(std::move(from), known, std::move(environment));
    result.wall.reset();
    for (auto& lane : result.workers)
        if (lane.run->end >= result.elapsed)
            lane.how.kind = model::outcome_kind::pending;
    return result;
}

} // namespace xcores::run
