// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>
#include <map>
#include <utility>

#include <xcores/model/format.hpp>
#include <xcores/model/lanes_caption.hpp>
#include <xcores/model/overlap.hpp>
#include <xcores/model/progress.hpp>
#include <xcores/model/summary.hpp>

namespace xcores::model {

namespace {

// From which share of the run time on something is what the sentence is about.
constexpr double notable = 0.15;
constexpr double mostly = 0.5;
constexpr double more_than_half = 0.6;
constexpr double nearly_all = 0.8;
constexpr double hardly = 0.05;

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
    std::string exact_text() const {
        return narrow() ? percent((least + most) / 2) : percent(least) + " to " + percent(most);
    }
    std::string sampled_text(const report& from, nanoseconds time) const {
        const std::string low = sampled_percent(from, narrow() ? (least + most) / 2 : least, time);
        return narrow() ? low : low + " to " + sampled_percent(from, most, time);
    }
};

/// Everything that the sentence may be about, as shares of the run time of the workers that ran.
struct figures {
    std::ptrdiff_t ran = 0;
    nanoseconds shortest = nanoseconds::max(); ///< among those that returned; so if none did
    nanoseconds longest{};
    nanoseconds sampled{};
    double running = 0;
    bounds without_gil; ///< share of the running
    double blocked = 0; ///< share of the known
    double known = 0;
    double waiting_gil = 0;
    double waiting_core = 0;
    range gil_waits;
    range core_waits;
};

double ratio(nanoseconds part, nanoseconds whole) {
    return whole > nanoseconds{0} ? static_cast<double>(part.count()) / static_cast<double>(whole.count()) : 0;
}

/// A worker that failed at once says nothing about waiting.
bool is_long_enough(const report& from, nanoseconds length) {
    return samples_in(from, length).value_or(fewest_samples) >= fewest_samples;
}

/// A thread that wakes to ask for its GIL waits for a core too: that is part of its wait for the GIL.
double core_wait_beside_gil(const worker_record& worker, const state_times& times) {
    const double elsewhere = cpu_share(worker).value_or(0) + ratio(times.waiting_gil, times.sampled);
    return std::min(core_wait_share(worker).value_or(0), std::max(0.0, 1 - elsewhere));
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
            all.core_waits.include(core_wait_beside_gil(worker, times));
        }
        all.waiting_core += core_wait_beside_gil(worker, times);
        sum += times;
    }
    const nanoseconds running = sum.running_with_gil + sum.running_without_gil + sum.running_unclear;
    all.sampled = sum.sampled;
    all.running = ratio(running, sum.sampled);
    all.without_gil = {ratio(sum.running_without_gil, running),
                       ratio(sum.running_without_gil + sum.running_unclear, running)};
    all.blocked = ratio(sum.blocked, sum.sampled - sum.unknown);
    all.known = ratio(sum.sampled - sum.unknown, sum.sampled);
    all.waiting_gil = ratio(sum.waiting_gil, sum.sampled);
    all.waiting_core /= static_cast<double>(std::max(all.ran, std::ptrdiff_t{1}));
    return all;
}

std::string busy(const totals& sum) {
    const std::string cores = sum.speedup_bound == 1 ? std::string("a core") : count(sum.speedup_bound) + " cores";
    constexpr double least_that_shows = 0.005;
    if (!sum.cores_busy && sum.least_busy.value_or(0) >= least_that_shows)
        return "at least " + fixed(*sum.least_busy, 2) + " of " + cores + " busy";
    return sum.cores_busy ? fixed(*sum.cores_busy, 2) + " of " + cores + " busy" : "CPU time unknown";
}

/// "each waited for the GIL 40 % of its run"
std::string waits(const std::string& share, bool narrow, std::ptrdiff_t workers, std::string_view for_what) {
    const std::string what(for_what);
    if (workers == 1)
        return "it waited" + what + " " + share + " of its run";
    return narrow ? "each waited" + what + " " + share + " of its run"
                  : "they waited" + what + " " + share + " of their runs";
}

std::string waits_for_gil(const report& from, const figures& all, std::string_view for_what) {
    const std::string share = all.gil_waits.sampled_text(from, all.sampled / all.ran);
    return waits(share, all.gil_waits.narrow(), all.ran, for_what);
}

std::string took_turns(const report& from, const figures& all) {
    const auto shared = std::ranges::find_if(from.gils, [](const gil_record& gil) { return gil.workers.size() > 1; });
    if (shared == from.gils.end())
        return ": " + waits_for_gil(from, all, " for the GIL");
    const std::string held = held_words(from, *shared);
    return " took turns: one GIL" + (held.empty() ? "" : ", " + held) + "; " + waits_for_gil(from, all, " for it");
}

/// On how many cores they ran for more than hardly any of their time. 0: unknown.
std::ptrdiff_t cores_used(const report& from) {
    std::map<int, nanoseconds> running;
    nanoseconds whole{};
    for (const worker_record& worker : from.workers) {
        for (const span& each : worker.spans) {
            if (each.state != thread_state::running || each.core < 0)
                continue;
            running[each.core] += each.end - each.start;
            whole += each.end - each.start;
        }
    }
    return std::ranges::count_if(running, [&](const auto& core) { return ratio(core.second, whole) >= hardly; });
}

std::string short_of_cores(const report& from, const figures& all, const totals& sum) {
    const auto cores = std::ssize(from.environment.cores);
    const std::string share = all.core_waits.exact_text();
    const bool narrow = all.core_waits.narrow();
    const bool had_them_all = sum.cores_busy.value_or(0) >= nearly_all * static_cast<double>(cores);
    if (cores > 0 && cores < all.ran && had_them_all)
        return " shared " + count(cores) + (cores == 1 ? " core: " : " cores: ") + busy(sum) + "; " +
               waits(share, narrow, all.ran, " for a core");
    // Told to, as by sched_setaffinity(2), or because something else had the others.
    const auto used = cores_used(from);
    if (used > 0 && used < std::min(cores, all.ran) &&
        sum.cores_busy.value_or(0) >= nearly_all * static_cast<double>(used))
        return " shared " + count(used) + " of " + count(cores) + " cores: " + busy(sum) + "; " +
               waits(share, narrow, all.ran, " for a core");
    if (cores == 0)
        return ": " + busy(sum) + "; " + waits(share, narrow, all.ran, " for a core");
    if (cores < all.ran)
        return " shared " + count(cores) + (cores == 1 ? " core" : " cores") + " with something else: " + busy(sum) +
               "; " + waits(share, narrow, all.ran, " for a core");
    return ": something else used the cores too, so " + waits(share, narrow, all.ran, " for a core") + "; " + busy(sum);
}

std::string without_gil_words(const report& from, const figures& all) {
    if (from.environment.gil_disabled)
        return ", with no GIL in this Python";
    if (from.kind != worker_kind::threads || all.without_gil.least < mostly)
        return "";
    const auto running = std::chrono::duration_cast<nanoseconds>(all.running * all.sampled);
    const std::string share = sampled_percent(from, all.without_gil, running);
    return share.empty() ? "" : ", " + share + " of their running time without the GIL";
}

std::string side_by_side(const report& from, const figures& all, const totals& sum, double together) {
    const std::string part =
        together < mostly ? " for " + sampled_percent(from, together, sum.running->length()) + " of the time" : "";
    std::string text = " ran side by side" + part + without_gil_words(from, all) + ": " + busy(sum);
    if (all.shortest < all.longest / 2)
        text += "; uneven, the shortest took " + duration(all.shortest) + " and the longest " + duration(all.longest);
    return text;
}

/// What ran at the same time.
std::string ran_together(const report& from, const figures& all, const totals& sum) {
    const togetherness times = togetherness_of(from);
    const double together = ratio(times.several, times.any);
    if (times.several <= nanoseconds{0})
        return " ran one after the other: never more than one busy at a time, " + busy(sum);
    if (together < hardly)
        return " ran nearly always one after the other: " + busy(sum);
    const bool share_gil = std::ranges::any_of(from.gils, [](const gil_record& gil) { return gil.workers.size() > 1; });
    if (share_gil && together < mostly && all.without_gil.most < mostly)
        return " with one GIL ran mostly one after the other: " + busy(sum);
    return side_by_side(from, all, sum, together);
}

std::string mixture(const report& from, const figures& all, const totals& sum) {
    const auto words = [&](double share) { return sampled_percent(from, share, all.sampled / all.ran); };
    return ": " + busy(sum) + "; " + words(all.running) + " of the time running, " + words(all.waiting_gil) +
           " waiting for the GIL, " + words(all.blocked) + " asleep or waiting for I/O or a lock";
}

std::string happened(const report& from, const figures& all, const totals& sum) {
    if (from.sampling && !is_long_enough(from, all.sampled / all.ran))
        return ": " + busy(sum) + " in " + duration(sum.running->length()) +
               (all.sampled / all.ran / from.sampling->period >= fewest_samples ? "; too few samples to see more"
                                                                                : "; too short to see more");
    if (all.sampled <= nanoseconds{0})
        return ": " + busy(sum) + " in " + duration(sum.running->length()) + "; not sampled";
    if (all.known < mostly)
        return ": " + busy(sum) + "; what else they did is unknown";
    if (all.blocked >= more_than_half)
        return " mostly slept or waited for I/O or a lock (" +
               sampled_percent(from, all.blocked, all.sampled / all.ran) + "): " + busy(sum);
    if (all.waiting_gil >= notable && all.waiting_gil >= all.waiting_core)
        return took_turns(from, all);
    if (all.waiting_core >= notable)
        return short_of_cores(from, all, sum);
    if (all.ran == 1)
        return " ran alone: " + busy(sum);
    if (all.running >= nearly_all)
        return ran_together(from, all, sum);
    return mixture(from, all, sum);
}

std::string without_full_stop(std::string text) {
    while (!text.empty() && text.back() == '.')
        text.pop_back();
    return text;
}

std::string verb(const outcome& how) {
    switch (how.kind) {
    case outcome_kind::raised:
        return how.type.empty() ? "raised an exception" : "raised " + how.type;
    case outcome_kind::exited:
        return how.code ? "exited with code " + count(*how.code) : "exited";
    case outcome_kind::crashed:
        return how.message.empty() ? "crashed" : "crashed: " + without_full_stop(how.message);
    case outcome_kind::timed_out:
        return how.abandoned ? "did not stop when time was up" : "ran out of time";
    case outcome_kind::interrupted:
        return how.abandoned                        ? "did not stop when interrupted"
               : how.message == stopped_for_an_item ? ""
                                                    : "stopped when interrupted";
    case outcome_kind::failed:
        return how.message.empty() ? "failed" : "failed: " + without_full_stop(how.message);
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

/// "Item 3 failed in worker 1: ZeroDivisionError: division by zero. ": before all else. Empty where none did.
std::string failed_items(const report& from) {
    if (!from.items || from.items->failed == 0)
        return "";
    const auto& failure = from.items->first_failure;
    const std::int64_t number = from.items->failed;
    if (!failure)
        return items_text(number) + " failed. ";
    const std::string more = number > 1 ? "; " + count(number - 1) + " more failed" : "";
    const std::string what = failure->what.empty() ? "" : ": " + without_full_stop(failure->what);
    return "Item " + count(failure->index) + " failed in worker " + count(failure->worker) + what + more + ". ";
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
    const std::string first = failed_items(from);
    const figures all = figures_of(from);
    if (all.ran == 0)
        return first + count(workers) + " " + noun(from.kind, workers) + ", of which none ran the cell" + suffix;
    return first + count(all.ran) + " " + noun(from.kind, all.ran) + happened(from, all, totals_of(from)) + suffix;
}

} // namespace xcores::model
