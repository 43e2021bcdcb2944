// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/model/progress.hpp>

#include <algorithm>
#include <cmath>

#include <xcores/model/format.hpp>
#include <xcores/model/summary.hpp>

namespace xcores::model {
namespace {

constexpr double nanoseconds_a_second = 1e9;
constexpr double longest = 1e9; // seconds; more does not fit, and is for ever anyway

/// From the moment when the first worker began to run the cell.
std::optional<double> rate_of(const report& from) {
    const auto running = totals_of(from).running;
    if (!running || from.items->done == 0)
        return std::nullopt;
    const auto time = (from.wall ? running->end : from.elapsed) - running->start;
    if (time <= nanoseconds{0})
        return std::nullopt;
    return static_cast<double>(from.items->done) * nanoseconds_a_second / static_cast<double>(time.count());
}

std::string rate_text(double per_second) {
    constexpr double whole = 10;
    return per_second >= whole ? count(std::llround(per_second)) : fixed(per_second, 2);
}

} // namespace

std::optional<progress> progress_of(const report& from) {
    if (!from.items)
        return std::nullopt;
    const auto& items = *from.items;
    progress now{items.done, std::nullopt, rate_of(from), std::nullopt};
    if (!items.total || *items.total <= 0)
        return now;
    now.share = std::min(1.0, static_cast<double>(items.done) / static_cast<double>(*items.total));
    const auto missing = *items.total - items.done;
    if (now.per_second && missing > 0 && !from.wall) {
        const auto seconds = static_cast<double>(missing) / *now.per_second;
        now.left = nanoseconds{static_cast<std::int64_t>(std::min(seconds, longest) * nanoseconds_a_second)};
    }
    return now;
}

std::string items_text(std::int64_t number) {
    return count(number) + (number == 1 ? " item" : " items");
}

std::string progress_text(const report& from) {
    const auto now = progress_of(from);
    if (!now)
        return "";
    const auto& total = from.items->total;
    const auto succeeded = from.items->done - from.items->failed;
    std::string text = total ? count(succeeded) + " of " + items_text(*total) : items_text(succeeded);
    text += " done";
    if (from.items->failed > 0)
        text += ", " + count(from.items->failed) + " failed";
    if (now->share && !from.wall)
        text += " (" + percent(*now->share) + ")";
    if (now->per_second)
        text += ", " + rate_text(*now->per_second) + " a second";
    if (now->left)
        text += ", " + duration(*now->left) + " left";
    return text;
}

std::string spread_text(const spread& times) {
    return duration(times.median) + " (" + duration(times.least) + " to " + duration(times.most) + ")";
}

std::string repeats_text(const report& from) {
    if (!from.repeats)
        return "";
    return "ran " + count(from.repeats->runs) + (from.repeats->runs == 1 ? " time" : " times") + ": wall time " +
           spread_text(from.repeats->wall) +
           "; run is each worker's median, everything else is of the median run, and the results are the last one's";
}

} // namespace xcores::model
