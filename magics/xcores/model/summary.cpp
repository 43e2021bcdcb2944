// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/model/summary.hpp>

#include <algorithm>
#include <limits>

#include <xcores/model/format.hpp>

namespace xcores::model {

namespace {

nanoseconds overlap(const auto& one, const interval& within) {
    return std::max(nanoseconds{0}, std::min(one.end, within.end) - std::max(one.start, within.start));
}

nanoseconds& part_of(state_times& times, const span& one) {
    switch (one.state) {
    case thread_state::running:
        return one.gil == gil_state::held       ? times.running_with_gil
               : one.gil == gil_state::not_held ? times.running_without_gil
                                                : times.running_unclear;
    case thread_state::waiting_gil:
        return times.waiting_gil;
    case thread_state::waiting_core:
        return times.waiting_core;
    case thread_state::blocked:
        return times.blocked;
    case thread_state::unknown:
        break;
    }
    return times.unknown;
}

/// A process is on a core whoever holds its GIL, of which nothing is known from outside.
bool runs_without_our_gil(const worker_record& worker, const span& one) {
    return worker.lane == lane_kind::process && one.state == thread_state::running;
}

double ratio(nanoseconds part, nanoseconds whole) {
    return static_cast<double>(part.count()) / static_cast<double>(whole.count());
}

/// The record with this position, or null: a report read from a file may name workers it does not contain.
const worker_record* worker_at(const report& from, int position) {
    const bool present = position >= 0 && position < std::ssize(from.workers);
    return present ? &from.workers[static_cast<std::size_t>(position)] : nullptr;
}

nanoseconds held_by(const worker_record& worker, const interval& within) {
    nanoseconds held{};
    for (const span& one : worker.spans)
        if (one.gil == gil_state::held)
            held += overlap(one, within);
    return held;
}

/// Empty when none of the workers of this GIL was sampled.
std::optional<std::vector<nanoseconds>> holding_times(const report& from, const gil_record& gil,
                                                      const interval& within) {
    std::vector<nanoseconds> held;
    bool sampled = false;
    for (const int position : gil.workers) {
        const worker_record* worker = worker_at(from, position);
        const auto known = [](const span& one) { return one.gil != gil_state::unknown; };
        sampled = sampled || (worker && std::ranges::any_of(worker->spans, known));
        held.push_back(worker ? held_by(*worker, within) : nanoseconds{});
    }
    return sampled ? std::optional(std::move(held)) : std::nullopt;
}

std::vector<interval> spans_with(const report& from, const gil_record& gil, gil_state state) {
    std::vector<interval> found;
    for (const int position : gil.workers)
        if (const worker_record* worker = worker_at(from, position))
            for (const span& one : worker->spans)
                if (one.gil == state)
                    found.push_back({one.start, one.end});
    return found;
}

/// In order, without overlaps.
std::vector<interval> merged(std::vector<interval> all) {
    std::ranges::sort(all, {}, &interval::start);
    std::vector<interval> result;
    for (const interval& one : all)
        if (!result.empty() && one.start <= result.back().end)
            result.back().end = std::max(result.back().end, one.end);
        else
            result.push_back(one);
    return result;
}

/// Both in order and without overlaps.
std::vector<interval> without(const std::vector<interval>& all, const std::vector<interval>& taken) {
    std::vector<interval> rest;
    auto next = taken.begin();
    for (interval one : all) {
        while (next != taken.end() && next->end <= one.start)
            ++next;
        for (auto each = next; each != taken.end() && each->start < one.end; ++each) {
            if (each->start > one.start)
                rest.push_back({one.start, each->start});
            one.start = std::max(one.start, each->end);
        }
        if (one.start < one.end)
            rest.push_back(one);
    }
    return rest;
}

int bound_of(const report& from) {
    const auto workers = std::ssize(from.workers);
    const auto cores = from.environment.cores.empty() ? workers : std::ssize(from.environment.cores);
    if (from.kind == worker_kind::cores) // nobody chose how many threads and processes there are
        return static_cast<int>(std::max(std::ptrdiff_t{1}, cores));
    return static_cast<int>(std::max(std::ptrdiff_t{1}, std::min(workers, cores)));
}

} // namespace

state_times times_of(const worker_record& worker) {
    state_times times;
    if (!worker.run)
        return times;
    for (const span& one : worker.spans) {
        const nanoseconds length = overlap(one, *worker.run);
        times.sampled += length;
        (runs_without_our_gil(worker, one) ? times.running_without_gil : part_of(times, one)) += length;
        if (one.gil == gil_state::held)
            times.gil_held += length;
    }
    return times;
}

state_times& state_times::operator+=(const state_times& more) {
    for (const auto part : {&state_times::sampled, &state_times::running_with_gil, &state_times::running_without_gil,
                            &state_times::running_unclear, &state_times::waiting_gil, &state_times::waiting_core,
                            &state_times::blocked, &state_times::unknown, &state_times::gil_held})
        this->*part += more.*part;
    return *this;
}

std::optional<double> gil_wait_share(const state_times& times) {
    const nanoseconds known = times.sampled - times.unknown;
    return known > times.running_unclear ? std::optional(ratio(times.waiting_gil, known)) : std::nullopt;
}

std::optional<double> cpu_share(const worker_record& worker) {
    if (!worker.run || !worker.cpu || worker.run->length() <= nanoseconds{0})
        return std::nullopt;
    const double share = ratio(*worker.cpu, worker.run->length());
    return worker.lane == lane_kind::process ? share : std::min(1.0, share); // the clocks are not read together
}

namespace {

/// How many cores can have been busy. Clocks of CPU and wall are not read together, so that in a short run the one may
/// be ahead of the other; and an executor's worker receives its calls outside of what counts as its run.
double most_busy(const report& from) {
    const std::size_t cores = from.environment.cores.size();
    const double there_are = cores > 0 ? static_cast<double>(cores) : std::numeric_limits<double>::max();
    if (from.kind != worker_kind::threads && from.kind != worker_kind::subinterp)
        return there_are; // a process may have further threads
    const auto ran = std::ranges::count_if(from.workers, [](const auto& worker) { return worker.run.has_value(); });
    return std::min(there_are, static_cast<double>(ran));
}

} // namespace

totals totals_of(const report& from) {
    totals sum;
    sum.speedup_bound = bound_of(from);
    sum.cpu = nanoseconds{0};
    nanoseconds known{};
    for (const worker_record& worker : from.workers) {
        if (worker.memory_bytes)
            sum.memory_bytes = sum.memory_bytes.value_or(0) + *worker.memory_bytes;
        if (worker.proportional_bytes)
            sum.proportional_bytes = sum.proportional_bytes.value_or(0) + *worker.proportional_bytes;
        add(sum.bytes_in, worker.bytes_in);
        add(sum.bytes_out, worker.bytes_out);
        sum.returned += worker.how.kind == outcome_kind::returned ? 1 : 0;
        if (!worker.run)
            continue;
        const interval whole = sum.running.value_or(*worker.run);
        sum.running = interval{std::min(whole.start, worker.run->start), std::max(whole.end, worker.run->end)};
        known += worker.cpu.value_or(nanoseconds{0});
        sum.cpu = sum.cpu && worker.cpu ? std::optional(*sum.cpu + *worker.cpu) : std::nullopt;
    }
    if (!sum.running)
        sum.cpu = std::nullopt;
    if (sum.cpu && sum.running->length() > nanoseconds{0})
        sum.cores_busy = std::min(ratio(*sum.cpu, sum.running->length()), most_busy(from));
    if (sum.running && !sum.cpu && known > nanoseconds{0} && sum.running->length() > nanoseconds{0})
        sum.least_busy = std::min(ratio(known, sum.running->length()), most_busy(from));
    return sum;
}

std::string running_words(const report& from) {
    const auto running = totals_of(from).running;
    if (!running || from.kind == worker_kind::cores)
        return "";
    const std::string ran = duration(running->length());
    return ran == duration(from.elapsed) ? "" : ", of which the cell ran " + ran;
}

std::vector<interval> unclear_holding(const report& from, const gil_record& gil) {
    const std::vector<interval> unclear = merged(spans_with(from, gil, gil_state::unknown));
    return unclear.empty() ? unclear : without(unclear, merged(spans_with(from, gil, gil_state::held)));
}

namespace {

/// What the clock counted and no sample shows.
nanoseconds unseen_cpu(const report& from, const gil_record& gil) {
    nanoseconds unseen{};
    for (const int position : gil.workers) {
        const worker_record* worker = worker_at(from, position);
        if (!worker || !worker->cpu)
            continue;
        const state_times times = times_of(*worker);
        unseen += std::max(nanoseconds{0},
                           *worker->cpu - times.running_with_gil - times.running_without_gil - times.running_unclear);
    }
    return unseen;
}

} // namespace

std::optional<bounds> held_bounds(const report& from, const gil_record& gil) {
    const auto running = totals_of(from).running;
    if (!running || running->length() <= nanoseconds{0})
        return std::nullopt;
    const auto held = holding_times(from, gil, *running);
    if (!held)
        return std::nullopt;
    nanoseconds sum{};
    for (const nanoseconds one : *held)
        sum += one;
    nanoseconds perhaps = unseen_cpu(from, gil);
    for (const interval& one : unclear_holding(from, gil))
        perhaps += overlap(one, *running);
    const double least = ratio(sum, running->length());
    return bounds{least, std::max(least, std::min(1.0, ratio(sum + perhaps, running->length())))};
}

std::optional<double> held_share(const report& from, const gil_record& gil) {
    const auto held = held_bounds(from, gil);
    return held && held->is_narrow() ? std::optional(held->least) : std::nullopt;
}

std::string held_words(const report& from, const gil_record& gil) {
    const auto held = held_bounds(from, gil);
    const auto running = totals_of(from).running;
    const bounds shown = held ? bounds{std::min(1.0, held->least), std::min(1.0, held->most)} : bounds{};
    const std::string share = held ? sampled_percent(from, shown, running->length()) : "";
    return share.empty() ? "" : "held " + share + " of the time";
}

std::vector<double> holders_of(const report& from, const gil_record& gil) {
    const auto running = totals_of(from).running;
    const auto held = running ? holding_times(from, gil, *running) : std::nullopt;
    nanoseconds sum{};
    for (const nanoseconds one : held.value_or(std::vector<nanoseconds>{}))
        sum += one;
    std::vector<double> shares;
    if (sum > nanoseconds{0})
        for (const nanoseconds one : *held)
            shares.push_back(ratio(one, sum));
    return shares;
}

} // namespace xcores::model
