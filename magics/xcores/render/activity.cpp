// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/render/activity.hpp>

#include <algorithm>
#include <cmath>
#include <set>

#include <xcores/model/certainty.hpp>

namespace xcores::render {

namespace {

using model::interval;
using model::nanoseconds;

/// Appends, joining with what comes before where nothing changes.
void extend(std::vector<stretch>& to, stretch next) {
    if (next.end <= next.start)
        return;
    if (!to.empty() && to.back().category == next.category && to.back().end == next.start)
        to.back().end = next.end;
    else
        to.push_back(next);
}

nanoseconds resolution_of(const model::report& from) {
    return 2 * model::sampling_interval(from);
}

interval run_of(const model::worker_record& worker) {
    if (worker.run)
        return *worker.run;
    if (worker.spans.empty())
        return {};
    return {worker.spans.front().start, worker.spans.back().end};
}

} // namespace

activity activity_of(const model::worker_record& worker, const model::span& one) {
    if (worker.lane == model::lane_kind::process && one.state == model::thread_state::running)
        return activity::elsewhere;
    switch (one.state) {
    case model::thread_state::running:
        return one.gil == model::gil_state::held       ? activity::with_gil
               : one.gil == model::gil_state::not_held ? activity::without_gil
                                                       : activity::unclear;
    case model::thread_state::waiting_gil:
        return activity::waiting_gil;
    case model::thread_state::waiting_core:
        return activity::waiting_core;
    case model::thread_state::blocked:
        return activity::blocked;
    case model::thread_state::unknown:
        break;
    }
    return activity::unknown;
}

std::string_view words_for(activity what) {
    switch (what) {
    case activity::with_gil:
        return "running with the GIL";
    case activity::without_gil:
        return "running without the GIL";
    case activity::unclear:
        return "running, GIL unknown";
    case activity::elsewhere:
        return "running in a process of its own";
    case activity::waiting_core:
        return "waiting for a core";
    case activity::waiting_gil:
        return "waiting for the GIL";
    case activity::blocked:
        return "blocked: sleep, I/O, lock";
    case activity::unknown:
        break;
    }
    return "unknown";
}

std::vector<stretch> activities_of(const model::report& from, const model::worker_record& worker) {
    const interval run = run_of(worker);
    const nanoseconds resolution = resolution_of(from);
    constexpr auto unknown = static_cast<std::size_t>(activity::unknown);
    std::vector<stretch> result;
    nanoseconds at = run.start;
    for (const model::span& one : worker.spans) {
        const auto category = static_cast<std::size_t>(activity_of(worker, one));
        const nanoseconds start = std::clamp(one.start, at, std::max(at, run.end));
        const nanoseconds end = std::min(one.end, run.end);
        if (end <= start)
            continue;
        const bool near = start - at <= resolution;
        extend(result, {at, start, near ? (result.empty() ? category : result.back().category) : unknown});
        extend(result, {start, end, category});
        at = end;
    }
    const bool near = !result.empty() && run.end - at <= resolution;
    extend(result, {at, run.end, near ? result.back().category : unknown});
    return result;
}

std::set<activity> occurring(const model::report& from) {
    std::set<activity> found;
    for (const model::worker_record& worker : from.workers)
        for (const stretch& one : activities_of(from, worker))
            found.insert(static_cast<activity>(one.category));
    return found;
}

std::vector<stretch> holds_of(const model::report& from, const model::gil_record& gil) {
    std::vector<stretch> result;
    for (const int position : gil.workers) {
        if (position < 0 || position >= std::ssize(from.workers))
            continue;
        const auto index = static_cast<std::size_t>(position);
        for (const model::span& one : from.workers[index].spans)
            if (one.gil == model::gil_state::held)
                extend(result, {one.start, one.end, index});
    }
    std::ranges::stable_sort(result, {}, &stretch::start);
    return result;
}

std::vector<stretch> visits_to(const model::report& from, int core) {
    std::vector<stretch> result;
    for (std::size_t index = 0; index < from.workers.size(); ++index)
        for (const model::span& one : from.workers[index].spans)
            if (one.core == core && one.state == model::thread_state::running)
                extend(result, {one.start, one.end, index});
    std::ranges::stable_sort(result, {}, &stretch::start);
    return result;
}

std::vector<stretch> undisputed(const std::vector<stretch>& all) {
    struct change {
        model::nanoseconds when;
        std::size_t index;
        bool begins;
    };
    std::vector<change> changes;
    for (std::size_t i = 0; i < all.size(); ++i) {
        changes.push_back({all[i].start, i, true});
        changes.push_back({all[i].end, i, false});
    }
    std::ranges::sort(changes, {}, &change::when);
    std::vector<stretch> result;
    std::set<std::size_t> there;
    for (std::size_t i = 0; i < changes.size(); ++i) {
        if (changes[i].begins)
            there.insert(changes[i].index);
        else
            there.erase(changes[i].index);
        if (there.size() == 1 && i + 1 < changes.size())
            extend(result, {changes[i].when, changes[i + 1].when, all[*there.begin()].category});
    }
    return result;
}

std::vector<stretch> cores_under(const model::worker_record& worker) {
    std::vector<stretch> result;
    for (const model::span& one : worker.spans) {
        const bool waits =
            one.state == model::thread_state::waiting_gil || one.state == model::thread_state::waiting_core;
        if (one.core >= 0 && one.state == model::thread_state::running)
            extend(result, {one.start, one.end, static_cast<std::size_t>(one.core)});
        else if (waits && !result.empty() && result.back().end == one.start)
            result.back().end = one.end;
    }
    return result;
}

std::vector<int> cores_of(const model::report& from) {
    std::set<int> cores(from.environment.cores.begin(), from.environment.cores.end());
    for (const model::worker_record& worker : from.workers)
        for (const model::span& one : worker.spans)
            if (one.core >= 0 && one.state == model::thread_state::running)
                cores.insert(one.core);
    return {cores.begin(), cores.end()};
}

interval extent_of(const model::report& from) {
    nanoseconds end = std::max(from.elapsed, nanoseconds{1});
    for (const model::worker_record& worker : from.workers) {
        for (const auto& phase : {worker.startup, worker.imports, worker.transfer_in, worker.run, worker.transfer_out})
            end = phase ? std::max(end, phase->end) : end;
        end = worker.spans.empty() ? end : std::max(end, run_of(worker).end);
    }
    return {nanoseconds{0}, end};
}

coverage::coverage(const std::vector<stretch>& from, interval whole, std::size_t columns, std::size_t categories)
    : columns_(columns), categories_(categories), shares_(columns * categories) {
    const double scale =
        static_cast<double>(columns) / static_cast<double>(std::max(whole.length(), nanoseconds{1}).count());
    const auto position = [&](nanoseconds time) {
        return std::clamp(static_cast<double>((time - whole.start).count()) * scale, 0.0, static_cast<double>(columns));
    };
    for (const stretch& one : from)
        if (one.category < categories)
            add(position(one.start), position(one.end), one.category);
    normalise();
}

void coverage::add(double start, double end, std::size_t category) {
    for (auto column = static_cast<std::size_t>(start); column < columns_ && static_cast<double>(column) < end;
         ++column) {
        const double left = static_cast<double>(column);
        shares_[column * categories_ + category] += std::min(end, left + 1) - std::max(start, left);
    }
}

void coverage::normalise() {
    for (std::size_t column = 0; column < columns_; ++column) {
        double sum = 0;
        for (std::size_t i = 0; i < categories_; ++i)
            sum += share(column, i);
        for (std::size_t i = 0; sum > 1 && i < categories_; ++i)
            shares_[column * categories_ + i] /= sum;
    }
}

/// The only category in a column; `categories_` when there is nothing in it, more when there are several.
std::size_t coverage::plain(std::size_t column) const {
    if (column >= columns_)
        return categories_;
    double sum = 0;
    for (std::size_t i = 0; i < categories_; ++i) {
        if (share(column, i) > 0.999)
            return i;
        sum += share(column, i);
    }
    return sum < 0.001 ? categories_ : categories_ + 1;
}

void coverage::sharpen() {
    for (std::size_t column = 0; column < columns_; ++column) {
        const std::size_t left = plain(column - 1); // before the first column there is nothing
        const std::size_t right = plain(column + 1);
        if (left == right || left > categories_ || right > categories_)
            continue;
        const double from_left = left < categories_ ? share(column, left) : -1;
        const double from_right = right < categories_ ? share(column, right) : -1;
        double sum = 0;
        for (std::size_t i = 0; i < categories_; ++i)
            sum += share(column, i);
        const double both = std::max(from_left, 0.0) + std::max(from_right, 0.0);
        const bool one_is_empty = from_left < 0 || from_right < 0;
        if (both < sum - 1e-9 || (!one_is_empty && sum < 0.999))
            continue;
        const bool take_left = from_left < 0 ? from_right < 0.5 : from_left >= 0.5;
        const std::size_t winner = take_left ? left : right;
        for (std::size_t i = 0; i < categories_; ++i)
            shares_[column * categories_ + i] = i == winner ? 1 : 0;
    }
}

} // namespace xcores::render
