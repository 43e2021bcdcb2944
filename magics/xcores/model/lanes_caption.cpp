// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/model/lanes_caption.hpp>

#include <algorithm>
#include <optional>
#include <vector>

#include <xcores/model/format.hpp>
#include <xcores/model/summary.hpp>

namespace xcores::model {

namespace {

constexpr double notable = 0.15;
constexpr double mostly = 0.5;
constexpr double hardly = 0.05;

/// What the lanes of one kind did together.
struct sum_of_kind {
    std::int64_t lanes = 0;
    nanoseconds cpu{};
    state_times times;
};

sum_of_kind sum_over(const report& from, lane_kind kind) {
    sum_of_kind sum;
    for (const worker_record& one : from.workers) {
        if (one.lane != kind)
            continue;
        ++sum.lanes;
        sum.cpu += one.cpu.value_or(nanoseconds{0});
        sum.times += times_of(one);
    }
    return sum;
}

double ratio(nanoseconds part, nanoseconds whole) {
    return whole > nanoseconds{0} ? static_cast<double>(part.count()) / static_cast<double>(whole.count()) : 0;
}

std::string joined(const std::vector<std::string>& parts) {
    std::string text;
    for (std::size_t i = 0; i < parts.size(); ++i)
        text += (i == 0 ? "" : i + 1 < parts.size() ? ", " : " and ") + parts[i];
    return text;
}

std::string held_text(const report& from) {
    const auto most_held = [&](const gil_record& gil) {
        const auto held = held_bounds(from, gil);
        return held ? held->most : -1;
    };
    const auto most = std::ranges::max_element(from.gils, {}, most_held);
    const std::string held = most == from.gils.end() ? "" : held_words(from, *most);
    if (held.empty())
        return "who held the GIL is unknown";
    return (from.gils.size() == 1 ? "the GIL was " : "the GIL that was most in use was ") + held;
}

/// "98 % of the threads' running time was without the GIL": of few samples only that it was most of it.
std::string without_gil_text(const report& from, const state_times& times) {
    const nanoseconds all = times.running_with_gil + times.running_without_gil + times.running_unclear;
    const bounds share{ratio(times.running_without_gil, all),
                       ratio(times.running_without_gil + times.running_unclear, all)};
    const bool few = samples_in(from, all).value_or(enough_samples) < enough_samples;
    const std::string figure = few ? "" : sampled_percent(from, share, all);
    return (figure.empty() ? "most" : figure) + " of the threads' running time was without the GIL";
}

std::string waited_text(const report& from, nanoseconds waiting, nanoseconds wanted) {
    const std::string share = sampled_percent(from, ratio(waiting, wanted), wanted);
    return share.empty() ? "" : ", and busy threads waited for it " + share + " of their time";
}

std::string what_mattered(const report& from, const sum_of_kind& python, const sum_of_kind& native,
                          const sum_of_kind& process) {
    const nanoseconds cpu = python.cpu + native.cpu + process.cpu;
    const nanoseconds clear = python.times.running_with_gil + python.times.running_without_gil;
    const nanoseconds wanted =
        clear + python.times.running_unclear + python.times.waiting_gil + python.times.waiting_core;
    const auto work_of = [&](const sum_of_kind& kind, std::string_view one, std::string_view many) {
        return (kind.lanes == 1 ? "the " + std::string(one) : "the " + std::string(many)) + " did " +
               percent(ratio(kind.cpu, cpu)) + " of the work";
    };
    if (ratio(cpu, from.elapsed) < hardly)
        return "nearly all the time everything slept or waited for I/O or a lock";
    if (ratio(process.cpu, cpu) >= mostly)
        return work_of(process, "process", "processes");
    if (ratio(native.cpu, cpu) >= mostly)
        return work_of(native, "native thread", "native threads") + ", without the GIL";
    const double unclear = ratio(python.times.running_unclear, clear + python.times.running_unclear);
    if (unclear >= mostly)
        return "for " + percent(unclear) + " of the threads' running time it is unknown who held the GIL";
    if (ratio(python.times.waiting_gil, wanted) >= notable)
        return held_text(from) + waited_text(from, python.times.waiting_gil, wanted);
    if (ratio(python.times.running_without_gil, clear + python.times.running_unclear) >= mostly)
        return without_gil_text(from, python.times);
    return held_text(from);
}

} // namespace

std::string caption_of_lanes(const report& from) {
    const auto python = sum_over(from, lane_kind::python_thread);
    const auto native = sum_over(from, lane_kind::native_thread);
    const auto process = sum_over(from, lane_kind::process);
    std::vector<std::string> who;
    if (python.lanes > 0)
        who.push_back(counted(python.lanes, "Python thread", "Python threads"));
    if (native.lanes > 0)
        who.push_back(counted(native.lanes, "native thread", "native threads"));
    if (process.lanes > 0)
        who.push_back(counted(process.lanes, "process", "processes"));
    if (who.empty())
        return "Nothing ran that was seen.";
    const totals sum = totals_of(from);
    std::string text = joined(who) + " kept " + (sum.cores_busy ? fixed(*sum.cores_busy, 2) : "an unknown part") +
                       " of " + counted(sum.speedup_bound, "core", "cores") + " busy";
    if (from.sampling && (from.sampling->ticks > 0 || from.sampling->recorded))
        text += "; " + what_mattered(from, python, native, process);
    if (from.left_out > 0)
        text += "; " + count(from.left_out) + " more are not shown";
    return text + ".";
}

} // namespace xcores::model
