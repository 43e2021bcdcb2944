// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/model/certainty.hpp>

#include <algorithm>
#include <cmath>

#include <xcores/model/format.hpp>
#include <xcores/model/summary.hpp>

namespace xcores::model {

namespace {

constexpr double low = 0.1;
constexpr double high = 0.9;

/// Of the time, for which workers were sampled although the rest was recorded.
constexpr double negligible = 0.05;

std::string tens(double share) {
    return fixed(std::round(share * 10) * 10, 0);
}

bool is_few(const std::optional<std::int64_t>& samples) {
    return samples && *samples < enough_samples;
}

double ratio(nanoseconds part, nanoseconds whole) {
    return static_cast<double>(part.count()) / static_cast<double>(whole.count());
}

} // namespace

nanoseconds sampling_interval(const report& from) {
    if (!from.sampling)
        return nanoseconds{0};
    nanoseconds ran{};
    for (const worker_record& worker : from.workers)
        ran += worker.run ? worker.run->length() : nanoseconds{0};
    const auto& recorded = from.sampling->recorded;
    const bool is_exact = recorded && ratio(recorded->sampled, ran + nanoseconds{1}) <= negligible;
    return is_exact ? nanoseconds{0} : from.sampling->widest_period.value_or(from.sampling->period);
}

std::optional<std::int64_t> samples_in(const report& from, nanoseconds time) {
    const auto interval = sampling_interval(from);
    return interval > nanoseconds{0} ? std::optional(time / interval) : std::nullopt;
}

std::string sampled_percent(const report& from, double share, nanoseconds time) {
    const auto samples = samples_in(from, time);
    if (samples && *samples < fewest_samples)
        return "";
    if (!is_few(samples) || share <= 0)
        return percent(share);
    if (share < low)
        return "under 10 %";
    return share > high ? "over 90 %" : "about " + tens(share) + " %";
}

std::string sampled_percent(const report& from, const bounds& share, nanoseconds time) {
    const auto samples = samples_in(from, time);
    if (share.is_wide() || (samples && *samples < fewest_samples))
        return "";
    if (share.is_narrow())
        return sampled_percent(from, share.least, time);
    if (is_few(samples) && share.most < low)
        return "under 10 %";
    if (is_few(samples) && tens(share.least) == tens(share.most))
        return "about " + tens(share.least) + " %";
    if (is_few(samples))
        return "about " + tens(share.least) + " to " + tens(share.most) + " %";
    return fixed(std::floor(share.least * 100), 0) + " to " + fixed(std::ceil(share.most * 100 - 1e-6), 0) + " %";
}

std::optional<double> core_wait_share(const worker_record& worker) {
    if (worker.run && worker.queue_wait && worker.run->length() > nanoseconds{0}) {
        const nanoseconds left =
            worker.run->length() - std::min(worker.cpu.value_or(nanoseconds{0}), worker.run->length());
        return ratio(std::min(*worker.queue_wait, left), worker.run->length());
    }
    const state_times times = times_of(worker);
    return times.sampled > nanoseconds{0} ? std::optional(ratio(times.waiting_core, times.sampled)) : std::nullopt;
}

} // namespace xcores::model
