// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>

#include <xcores/model/comparison.hpp>
#include <xcores/model/format.hpp>

namespace xcores::model {

namespace {

using cause = recommendation::cause;
using namespace std::chrono_literals;

// A gain below this is not worth a word at the top of a cell.
constexpr double worthwhile = 1.1;
// Threads that are seen to wait for each other's GIL and yet seem faster had luck with the moment, unless it is by
// much.
constexpr double worthwhile_against_the_gil = 1.3;
// Who comes this close to the fastest is as good, and may be chosen for being cheaper.
constexpr double as_good = 0.93;
constexpr double notable = 0.15;
constexpr double mostly = 0.5;
constexpr nanoseconds short_cell = 3ms;

// Where others took more than this, not even an estimate for an idle machine can be trusted.
constexpr double too_disturbed = 0.67;

struct candidate {
    const configuration* way = nullptr;
    measurement measured;
    std::optional<measurement> idle; ///< where other programs disturbed

    /// What an idle machine would show: what to decide by.
    const measurement& speedup() const { return idle ? *idle : measured; }
};

std::string magic(worker_kind kind, int workers) {
    return "%%" + std::string(name_of(kind)) + " " + std::to_string(workers);
}

/// A sentence has no room for more; the table shows all of it.
std::string shortened(const std::string& failure) {
    constexpr std::size_t longest = 100;
    if (failure.size() <= longest)
        return failure;
    std::size_t end = longest;
    while (end > 0 && (static_cast<unsigned char>(failure[end]) & 0xC0U) == 0x80U)
        --end; // not inside a character
    return failure.substr(0, end) + "…";
}

std::string words_for(worker_kind kind) {
    switch (kind) {
    case worker_kind::threads:
        return "threads";
    case worker_kind::subinterp:
        return "subinterpreters";
    case worker_kind::procs:
        return "processes";
    case worker_kind::cores: // no workers of ours: nothing to compare
        break;
    }
    return "workers";
}

std::string times(double factor) {
    return fixed(factor, factor < 1 ? 2 : factor < 9.95 ? 1 : 0) + " times"; // a loss is not rounded to none
}

/// "1.4 times as fast as serial, about 1.9 times on an idle machine"
std::string factors(const candidate& one) {
    return times(one.measured.median) + " as fast as serial" +
           (one.idle ? ", about " + times(one.idle->median) + " on an idle machine" : "");
}

std::vector<candidate> candidates_of(const comparison& all) {
    std::vector<candidate> found;
    for (const configuration& one : all.configurations)
        if (const auto speedup = speedup_of(all, one); speedup && one.failure.empty())
            found.push_back({&one, *speedup, idle_speedup_of(all, one)});
    return found;
}

const candidate* of_kind(const std::vector<candidate>& all, worker_kind kind) {
    const candidate* best = nullptr;
    for (const candidate& one : all)
        if (one.way->kind == kind && (!best || one.speedup().median > best->speedup().median))
            best = &one;
    return best;
}

/// The figures of a kind with the same number of workers: best compared with what is recommended.
const candidate* beside(const std::vector<candidate>& all, worker_kind kind, int workers) {
    const auto same = std::ranges::find_if(
        all, [&](const candidate& one) { return one.way->kind == kind && one.way->workers == workers; });
    return same == all.end() ? of_kind(all, kind) : &*same;
}

const configuration* failed(const comparison& all, worker_kind kind) {
    const auto found = std::ranges::find_if(
        all.configurations, [&](const configuration& one) { return one.kind == kind && !one.failure.empty(); });
    return found == all.configurations.end() ? nullptr : &*found;
}

bool is_held_up_by_gil(const configuration& threads) {
    return threads.gil_wait.value_or(0) >= notable;
}

/// One worker does what serial does.
bool gains(const candidate& one, const measurement& speedup) {
    const bool against_the_gil = one.way->kind == worker_kind::threads && is_held_up_by_gil(*one.way);
    return one.way->workers > 1 && speedup.median >= (against_the_gil ? worthwhile_against_the_gil : worthwhile);
}

bool gains_something(const candidate& one) {
    return gains(one, one.speedup());
}

bool gained_something(const candidate& one) {
    return gains(one, one.measured);
}

bool mostly_waits(const configuration& way) {
    return way.blocked.value_or(0) >= mostly && !is_held_up_by_gil(way);
}

/// Waiting overlaps in every kind: with as many workers, one that mostly waits and was as good in a single round can be
/// so always, and what kept it from that was the moment. (Not where threads share a lock, say: that shows in all
/// rounds.) And where fewer workers keep all cores busy, more of them cannot do more.
bool is_as_good(const candidate& one, const candidate& best, std::size_t cores) {
    constexpr double all_busy = 0.9;
    const bool overlaps = one.way->workers == best.way->workers && mostly_waits(*one.way);
    const bool saturated = one.way->workers < best.way->workers && cores > 0 &&
                           one.way->cores_busy.value_or(0) >= all_busy * static_cast<double>(cores);
    return (overlaps || saturated ? one.speedup().most : one.speedup().median) >= best.speedup().median * as_good;
}

/// Fewest workers first; then the kind that shares most and starts fastest, which is the order of the enumeration.
const candidate& cheapest_of_the_best(const std::vector<candidate>& all, std::size_t cores) {
    const candidate* best = nullptr;
    for (const candidate& one : all)
        if (gains_something(one) && (!best || one.speedup().median > best->speedup().median))
            best = &one;
    const candidate* choice = nullptr;
    for (const candidate& one : all) {
        const bool cheaper = !choice || one.way->workers < choice->way->workers ||
                             (one.way->workers == choice->way->workers && *one.way->kind < *choice->way->kind);
        if (gains_something(one) && is_as_good(one, *best, cores) && cheaper)
            choice = &one;
    }
    return *choice;
}

std::string gil_words(const configuration& threads) {
    if (threads.gil_held.value_or(0) >= mostly)
        return "they hold the GIL " + percent(std::min(1.0, *threads.gil_held)) + " of the time";
    return "they wait for the GIL " + percent(threads.gil_wait) + " of the time";
}

/// "threads gain nothing because they hold the GIL 99 % of the time"; empty where there is nothing to say.
std::string about_threads(const comparison& all, const std::vector<candidate>& from, int workers) {
    if (const configuration* broken = failed(all, worker_kind::threads))
        return "threads cannot run it (" + shortened(broken->failure) + ")";
    const candidate* threads = beside(from, worker_kind::threads, workers);
    if (!threads)
        return "";
    const double gain = threads->measured.median;
    const std::string how = gain < worthwhile ? "threads gain nothing" : "threads reach only " + times(gain);
    return how + (is_held_up_by_gil(*threads->way) ? " because " + gil_words(*threads->way) : "");
}

/// From nothing to workers that have all modules they need.
std::optional<nanoseconds> beginning(const configuration& way) {
    return way.startup ? std::optional(*way.startup + way.imports.value_or(nanoseconds{0})) : std::nullopt;
}

/// "take 3.10 s to start and import instead of 22.0 ms"; empty where it is not longer.
std::string longer_beginning(const configuration& beaten, const configuration& choice) {
    const auto theirs = beginning(beaten);
    const auto ours = beginning(choice);
    if (!theirs || !ours || *theirs <= *ours)
        return "";
    const bool imported = beaten.imports || choice.imports;
    return "take " + duration(theirs) + (imported ? " to start and import" : " to start") + " instead of " +
           duration(ours);
}

/// Little data takes long only where something else does, such as waiting for a core.
bool is_held_up_by_data(const configuration& way) {
    constexpr std::int64_t little = 256 * 1024;
    return way.transfer.value_or(0) >= notable && way.moved_bytes.value_or(little) >= little;
}

/// Why not the other kind that has GILs of its own.
std::string about_other(const comparison& all, const std::vector<candidate>& from, const candidate& choice) {
    const worker_kind other = choice.way->kind == worker_kind::subinterp ? worker_kind::procs : worker_kind::subinterp;
    if (const configuration* broken = failed(all, other))
        return words_for(other) + " cannot run it (" + shortened(broken->failure) + ")";
    const candidate* beaten = beside(from, other, choice.way->workers);
    if (!beaten)
        return "";
    const bool is_slower = beaten->measured.median < choice.measured.median * as_good;
    if (is_slower != (beaten->speedup().median < choice.speedup().median * as_good))
        return ""; // a matter of the moment
    if (is_slower)
        return words_for(other) + " reach " + times(beaten->measured.median) +
               (is_held_up_by_data(*beaten->way)
                    ? ", " + percent(beaten->way->transfer) + " of their time goes into moving data"
                    : "");
    std::string costs = longer_beginning(*beaten->way, *choice.way);
    if (beaten->way->memory_bytes && choice.way->memory_bytes && *beaten->way->memory_bytes > *choice.way->memory_bytes)
        costs += std::string(costs.empty() ? "take " : " and ") + bytes(beaten->way->memory_bytes) + " instead of " +
                 bytes(choice.way->memory_bytes);
    return costs.empty() ? words_for(other) + " are as fast" : words_for(other) + " are as fast but " + costs;
}

std::string joined(const std::string& first, const std::string& second) {
    return first + (first.empty() || second.empty() ? "" : "; ") + second;
}

/// "; threads start fastest", if it is so.
std::string costs_of_threads(const std::vector<candidate>& from, const configuration& way) {
    bool fastest = way.startup.has_value();
    bool alone = true;
    for (const candidate& one : from) {
        if (one.way->kind == worker_kind::threads || one.way->workers != way.workers)
            continue;
        alone = false;
        fastest = fastest && one.way->startup && *way.startup <= *one.way->startup;
    }
    return alone || !fastest ? "" : "; threads start fastest";
}

recommendation threads_are_enough(const comparison& all, const std::vector<candidate>& from, const candidate& choice) {
    const configuration& way = *choice.way;
    if (way.blocked.value_or(0) >= mostly)
        return {way.kind, way.workers, cause::waiting,
                "it waits " + percent(way.blocked) + " of the time, and waiting overlaps in every kind" +
                    costs_of_threads(from, way)};
    if (all.environment.gil_disabled)
        return {way.kind, way.workers, cause::shared_gil_free, "this Python has no GIL, and threads share everything"};
    if (way.without_gil.value_or(0) >= mostly)
        return {way.kind, way.workers, cause::shared_gil_free,
                "it runs without the GIL " + percent(way.without_gil) +
                    " of its running time, so threads run side by side, and nothing has to be moved"};
    return {way.kind, way.workers, cause::faster, ""};
}

recommendation use(const comparison& all, const std::vector<candidate>& from) {
    const candidate& choice = cheapest_of_the_best(from, all.environment.cores.size());
    const configuration& way = *choice.way;
    recommendation made;
    if (way.kind == worker_kind::threads) {
        made = threads_are_enough(all, from, choice);
    } else {
        const candidate* threads = beside(from, worker_kind::threads, way.workers);
        const bool python = threads && is_held_up_by_gil(*threads->way);
        made = {way.kind, way.workers, python ? cause::parallel_python : cause::faster,
                joined(about_threads(all, from, way.workers), about_other(all, from, choice))};
    }
    made.sentence = "Use " + magic(*way.kind, way.workers) + ": " + factors(choice) +
                    (made.sentence.empty() ? "" : "; " + made.sentence);
    return made;
}

std::string moving(const candidate& one) {
    const std::string what = one.way->moved_bytes ? bytes(one.way->moved_bytes) : "the data";
    return "moving " + what + " takes " + percent(one.way->transfer) + " of the time with " + words_for(*one.way->kind);
}

/// As measured; null where all had one worker only.
const candidate* fastest(const std::vector<candidate>& from) {
    const candidate* best = nullptr;
    for (const candidate& one : from)
        if (one.way->workers > 1 && (!best || one.measured.median > best->measured.median))
            best = &one;
    return best;
}

std::string best_of_the_others(const std::vector<candidate>& from) {
    const candidate* best = fastest(from);
    return best
               ? "the best of the others, " + label_of(*best->way) + ", is " + times(best->measured.median) + " as fast"
               : "one worker does what serial does";
}

recommendation stay_serial(const comparison& all, const std::vector<candidate>& from) {
    recommendation made;
    made.why = cause::no_gain;
    made.sentence = "Stay serial: " + best_of_the_others(from);
    const auto serial = std::ranges::find_if(all.configurations, [](const auto& one) { return !one.kind; });
    const nanoseconds usual{static_cast<std::int64_t>(time_of(all, *serial)->median)};
    const bool is_short = usual < short_cell;
    const candidate* moved = nullptr;
    for (const candidate& one : from)
        if (one.way->kind != worker_kind::threads && is_held_up_by_data(*one.way) &&
            (!moved || one.speedup().median > moved->speedup().median))
            moved = &one;
    const candidate* threads = of_kind(from, worker_kind::threads);
    const bool held_up = threads && is_held_up_by_gil(*threads->way);
    const std::string held = !held_up ? ""
                             : threads->measured.median >= worthwhile
                                 ? "that is probably noise, because " + gil_words(*threads->way)
                                 : "threads gain nothing because " + gil_words(*threads->way);
    if (moved && !is_short) {
        made.why = cause::data;
        made.sentence += "; the data costs more to move than the work saves (" + moving(*moved) + ")";
    } else if (is_short) {
        made.why = cause::too_short;
        made.sentence += "; the cell takes " + duration(usual) + ", too little to hand out";
    }
    made.sentence = joined(made.sentence, held);
    if (all.environment.cores.size() == 1)
        made.sentence += "; there is only one core";
    return made;
}

/// What was measured and what an idle machine would show lead to different answers, or cannot be trusted.
recommendation undecided(const std::vector<candidate>& from) {
    const candidate* best = fastest(from);
    recommendation made;
    made.why = cause::disturbed;
    made.sentence = "No recommendation, because other programs used the cores";
    if (best)
        made.sentence += "; " + magic(*best->way->kind, best->way->workers) + " was " + times(best->measured.median) +
                         " as fast as serial";
    return made;
}

recommendation decided(const comparison& all, const std::vector<candidate>& from) {
    const bool would_gain = std::ranges::any_of(from, gains_something);
    const bool gained = std::ranges::any_of(from, gained_something);
    if (disturbance_of(all) < disturbing)
        return gained ? use(all, from) : stay_serial(all, from);
    if (would_gain != gained || disturbance_of(all) > too_disturbed)
        return undecided(from);
    if (!gained)
        return stay_serial(all, from);
    const bool agree = gained_something(cheapest_of_the_best(from, all.environment.cores.size()));
    return agree ? use(all, from) : undecided(from);
}

recommendation without_figures(const comparison& all) {
    const auto broken = std::ranges::find_if(all.configurations, [](const auto& one) { return !one.failure.empty(); });
    recommendation made;
    made.sentence = broken == all.configurations.end()
                        ? "Nothing to recommend: no two ways of running the cell were measured"
                        : "Nothing to recommend: " + label_of(*broken) + " failed (" + shortened(broken->failure) + ")";
    return made;
}

} // namespace

recommendation recommendation_for(const comparison& all) {
    const std::vector<candidate> from = candidates_of(all);
    if (from.empty()) {
        recommendation made = without_figures(all);
        made.sentence += ".";
        return made;
    }
    recommendation made = decided(all, from);
    const auto differs = std::ranges::find(all.configurations, agreement::different, &configuration::results);
    if (const std::string varying = variation_text(all); !varying.empty())
        made.sentence += "; " + varying;
    else if (differs != all.configurations.end())
        made.sentence += "; but " + label_of(*differs) + " returned something else: find out why first";
    made.sentence += ".";
    return made;
}

std::string_view name_of(recommendation::cause why) {
    switch (why) {
    case cause::nothing_measured:
        return "nothing_measured";
    case cause::parallel_python:
        return "parallel_python";
    case cause::waiting:
        return "waiting";
    case cause::shared_gil_free:
        return "shared_gil_free";
    case cause::data:
        return "data";
    case cause::too_short:
        return "too_short";
    case cause::no_gain:
        return "no_gain";
    case cause::faster:
        return "faster";
    case cause::disturbed:
        return "disturbed";
    }
    return "unknown";
}

} // namespace xcores::model
