// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>
#include <utility>

#include <xcores/model/format.hpp>
#include <xcores/model/lanes_caption.hpp>
#include <xcores/model/summary.hpp>

namespace xcores::model {

namespace {

// From which share of the run time on something is what the sentence is about.
constexpr double notable = 0.15;
constexpr double mostly = 0.5;
constexpr double nearly_all = 0.8;
constexpr int fewest_samples = 4; // of a worker, before anything is said about its time

std::string noun(worker_kind kind, std::ptrdiff_t number) {
    switch (kind) {
    case worker_kind::threads:
        return number == 1 ? "thread" : "threads";
    case worker_kind::subinterp:
        return number == 1 ? "interpreter" : "interpreters";
    case worker_kind::procs:
        return number == 1 ? "process" : "processes";
    case worker_kind::cores:
        break; // no workers: see lanes_caption.cpp
    }
    return "workers";
}

struct range {
    double least = 1;
    double most = 0;

    void include(double value) {
        least = std::min(least, value);
        most = std::max(most, value);
    }
    bool narrow() const { return most - least <= 0.1; }
    std::string text() const {
        return narrow() ? percent((least + most) / 2) : percent(least) + " to " + percent(most);
    }
};

/// Everything that the sentence may be about, as shares of the run time of the workers that ran.
struct figures {
    std::ptrdiff_t ran = 0;
    nanoseconds shortest = nanoseconds::max(); ///< among those that returned; so if none did
    nanoseconds longest{};
    nanoseconds sampled{};
    double running = 0;
    double without_gil = 0; ///< share of the running
    double blocked = 0;     ///< share of the known
    double known = 0;
    double waiting_gil = 0;
    double waiting_core = 0;
    range gil_waits;
    range core_waits;
};

double ratio(nanoseconds part, nanoseconds whole) {
    return whole > nanoseconds{0} ? static_cast<double>(part.count()) / static_cast<double>(whole.count()) : 0;
}

/// The operating system's own figure where there is one: it is exact, samples are not.
double core_wait_of(const worker_record& worker, const state_times& times) {
    if (worker.queue_wait && worker.run && worker.run->length() > nanoseconds{0})
        return ratio(*worker.queue_wait, worker.run->length());
    return ratio(times.waiting_core, times.sampled);
}

/// A worker that failed at once says nothing about waiting.
bool is_long_enough(const report& from, nanoseconds length) {
    return !from.sampling || length >= fewest_samples * from.sampling->period;
}

figures figures_of(const report& from) {
    figures all;
    state_times sum;
    for (const worker_record& worker : from.workers) {
        if (!worker.run)
            continue;
        const state_times times = times_of(worker);
        ++all.ran;
        if (worker.how.kind == outcome_kind::returned) {
            all.shortest = std::min(all.shortest, worker.run->length());
            all.longest = std::max(all.longest, worker.run->length());
        }
        if (is_long_enough(from, worker.run->length())) {
            all.gil_waits.include(ratio(times.waiting_gil, times.sampled));
            all.core_waits.include(core_wait_of(worker, times));
        }
        all.waiting_core += core_wait_of(worker, times);
        sum += times;
    }
    const nanoseconds clear = sum.running_with_gil + sum.running_without_gil;
    all.sampled = sum.sampled;
    all.running = ratio(clear + sum.running_unclear, sum.sampled);
    all.without_gil = ratio(sum.running_without_gil, clear);
    all.blocked = ratio(sum.blocked, sum.sampled - sum.unknown);
    all.known = ratio(sum.sampled - sum.unknown, sum.sampled);
    all.waiting_gil = ratio(sum.waiting_gil, sum.sampled);
    all.waiting_core /= static_cast<double>(std::max(all.ran, std::ptrdiff_t{1}));
    return all;
}

std::string busy(const totals& sum) {
    const std::string cores = sum.speedup_bound == 1 ? std::string("a core") : count(sum.speedup_bound) + " cores";
    return sum.cores_busy ? fixed(*sum.cores_busy, 2) + " of " + cores + " busy" : "CPU time unknown";
}

std::string waits(const range& shares, std::ptrdiff_t workers, std::string_view for_what) {
    const std::string what(for_what);
    if (workers == 1)
        return "it waited for " + what + " " + shares.text() + " of its run";
    return shares.narrow() ? "each waited for " + what + " " + shares.text() + " of its run"
                           : "they waited for " + what + " " + shares.text() + " of their runs";
}

std::string took_turns(const report& from, const figures& all) {
    const auto shared = std::ranges::find_if(from.gils, [](const gil_record& gil) { return gil.workers.size() > 1; });
    if (shared == from.gils.end())
        return ": " + waits(all.gil_waits, all.ran, "the GIL");
    const std::string held = held_words(from, *shared);
    return " took turns: one GIL" + (held.empty() ? "" : ", " + held) + "; " + waits(all.gil_waits, all.ran, "it");
}

std::string short_of_cores(const report& from, const figures& all, const totals& sum) {
    const auto cores = std::ssize(from.environment.cores);
    const std::string waited = waits(all.core_waits, all.ran, "a core");
    if (cores > 0 && cores < all.ran)
        return " shared " + count(cores) + (cores == 1 ? " core: " : " cores: ") + busy(sum) + "; " + waited;
    return ": " + busy(sum) + "; " + waited + (cores > 0 ? ", though there are " + count(cores) : "");
}

std::string side_by_side(const report& from, const figures& all, const totals& sum) {
    std::string how;
    if (from.environment.gil_disabled)
        how = ", with no GIL in this Python";
    else if (from.kind == worker_kind::threads && all.without_gil >= mostly)
        how = ", " + percent(all.without_gil) + " of their running time without the GIL";
    std::string text = " ran side by side" + how + ": " + busy(sum);
    if (all.shortest < all.longest / 2)
        text += "; uneven, the shortest took " + duration(all.shortest) + " and the longest " + duration(all.longest);
    return text;
}

std::string mixture(const figures& all, const totals& sum) {
    return ": " + busy(sum) + "; " + percent(all.running) + " of the time running, " + percent(all.waiting_gil) +
           " waiting for the GIL, " + percent(all.blocked) + " asleep or waiting for I/O or a lock";
}

std::string happened(const report& from, const figures& all, const totals& sum) {
    if (from.sampling && !is_long_enough(from, all.sampled / all.ran))
        return ": " + busy(sum) + " in " + duration(sum.running->length()) + "; too short to see more";
    if (all.sampled <= nanoseconds{0})
        return ": " + busy(sum) + " in " + duration(sum.running->length()) + "; not sampled";
    if (all.known < mostly)
        return ": " + busy(sum) + "; what else they did is unknown";
    if (all.blocked >= mostly)
        return " mostly slept or waited for I/O or a lock (" + percent(all.blocked) + "): " + busy(sum);
    if (all.waiting_gil >= notable && all.waiting_gil >= all.waiting_core)
        return took_turns(from, all);
    if (all.waiting_core >= notable)
        return short_of_cores(from, all, sum);
    if (all.ran == 1)
        return " ran alone: " + busy(sum);
    if (all.running >= nearly_all)
        return side_by_side(from, all, sum);
    return mixture(all, sum);
}

std::string verb(const outcome& how) {
    switch (how.kind) {
    case outcome_kind::raised:
        return how.type.empty() ? "raised an exception" : "raised " + how.type;
    case outcome_kind::exited:
        return how.code ? "exited with code " + count(*how.code) : "exited";
    case outcome_kind::crashed:
        return how.message.empty() ? "crashed" : "crashed: " + how.message;
    case outcome_kind::timed_out:
        return "ran out of time";
    case outcome_kind::interrupted:
        return std::string("stopped when interrupted");
    case outcome_kind::failed:
        return how.message.empty() ? "failed" : "failed: " + how.message;
    case outcome_kind::pending:
    case outcome_kind::returned:
        break;
    }
    return "";
}

/// "1 of 4 raised ZeroDivisionError, 2 of 4 ran out of time"; empty when every worker returned.
std::string failures(const report& from) {
    std::vector<std::pair<std::string, int>> groups;
    for (const worker_record& worker : from.workers) {
        const std::string what = verb(worker.how);
        if (what.empty())
            continue;
        const auto group = std::ranges::find(groups, what, &std::pair<std::string, int>::first);
        if (group == groups.end())
            groups.emplace_back(what, 1);
        else
            ++group->second;
    }
    std::string text;
    const auto workers = std::ssize(from.workers);
    for (const auto& [what, number] : groups) {
        const std::string who = workers == 1       ? "it"
                                : number < workers ? count(number) + " of " + count(workers)
                                                   : (workers == 2 ? "both" : "all " + count(workers));
        text += (text.empty() ? "" : ", ") + who + " " + what;
    }
    return text;
}

std::string so_far(const report& from) {
    const auto pending = std::ranges::count_if(
        from.workers, [](const worker_record& worker) { return worker.how.kind == outcome_kind::pending; });
    const auto workers = std::ssize(from.workers);
    return count(workers) + " " + noun(from.kind, workers) + ", " + count(workers - pending) + " done after " +
           duration(from.elapsed);
}

} // namespace

std::string caption_of(const report& from) {
    if (from.kind == worker_kind::cores)
        return caption_of_lanes(from);
    const auto workers = std::ssize(from.workers);
    if (workers == 0)
        return "No workers ran.";
    const std::string ended_badly = failures(from);
    const std::string median = from.repeats ? "; the median of " + count(from.repeats->runs) + " runs" : "";
    const std::string suffix = median + (ended_badly.empty() ? "." : "; " + ended_badly + ".");
    if (!from.wall)
        return so_far(from) + suffix;
    const figures all = figures_of(from);
    if (all.ran == 0)
        return count(workers) + " " + noun(from.kind, workers) + ", of which none ran the cell" + suffix;
    return count(all.ran) + " " + noun(from.kind, all.ran) + happened(from, all, totals_of(from)) + suffix;
}

} // namespace xcores::model
