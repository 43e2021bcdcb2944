// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/model/repeats.hpp>

#include <algorithm>

namespace xcores::model {
namespace {

/// Of an even number, the lower one of the two in the middle: a time that was measured.
std::size_t middle(std::size_t number) {
    return (number - 1) / 2;
}

spread spread_of(std::vector<nanoseconds> times) {
    std::ranges::sort(times);
    return {times.front(), times[middle(times.size())], times.back()};
}

nanoseconds wall_of(const report& one) {
    return one.wall.value_or(one.elapsed);
}

std::optional<spread> run_of(const std::vector<report>& runs, std::size_t worker) {
    std::vector<nanoseconds> times;
    for (const auto& one : runs) {
        const auto& time = one.workers[worker].run;
        if (!time)
            return std::nullopt;
        times.push_back(time->length());
    }
    return spread_of(std::move(times));
}

} // namespace

report repeated(std::vector<report> runs) {
    repeat_record all;
    all.runs = static_cast<int>(runs.size());
    std::vector<nanoseconds> walls;
    for (const auto& one : runs)
        walls.push_back(wall_of(one));
    all.wall = spread_of(std::move(walls));
    for (std::size_t i = 0; i < runs.front().workers.size(); ++i)
        all.run.push_back(run_of(runs, i));
    auto median = std::move(*std::ranges::find(runs, all.wall.median, wall_of));
    median.repeats = std::move(all);
    return median;
}

} // namespace xcores::model
