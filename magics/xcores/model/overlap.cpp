// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/model/overlap.hpp>

#include <algorithm>
#include <map>
#include <vector>

namespace xcores::model {

namespace {

/// Something begins or ends.
struct change {
    nanoseconds when;
    int by;
    std::size_t worker;
};

void add(std::vector<change>& changes, nanoseconds start, nanoseconds end, std::size_t worker) {
    if (end <= start)
        return;
    changes.push_back({start, 1, worker});
    changes.push_back({end, -1, worker});
}

bool is_active(const span& one) {
    return one.state == thread_state::running || one.state == thread_state::waiting_core ||
           one.state == thread_state::waiting_gil;
}

/// Ends before beginnings, so that what only touches does not overlap.
void sort(std::vector<change>& changes) {
    std::ranges::sort(changes, {}, [](const change& one) { return std::pair(one.when, one.by); });
}

bool is_on_a_core(const span& one) {
    return one.state == thread_state::running && one.core >= 0;
}

/// At least two workers claim the same core.
struct dispute {
    interval when;
    std::vector<std::size_t> workers;

    /// Each has the core for a part of the time, in turn.
    interval part_of(std::size_t worker) const {
        const auto rank = std::ranges::find(workers, worker) - workers.begin();
        const auto all = std::ssize(workers);
        return {when.start + when.length() * rank / all, when.start + when.length() * (rank + 1) / all};
    }
};

using disputes = std::vector<dispute>;

disputes disputes_among(std::vector<change> changes) {
    sort(changes);
    disputes found;
    std::vector<std::size_t> there;
    nanoseconds since{};
    for (const change& one : changes) {
        if (there.size() >= 2 && one.when > since)
            found.push_back({{since, one.when}, there});
        if (one.by > 0)
            there.push_back(one.worker);
        else
            there.erase(std::ranges::find(there, one.worker));
        since = one.when;
    }
    return found;
}

/// For each core, in order.
std::map<int, disputes> disputed_in(const report& from) {
    std::map<int, std::vector<change>> changes;
    for (std::size_t i = 0; i < from.workers.size(); ++i)
        if (from.workers[i].lane != lane_kind::process) // several threads, of which one was seen
            for (const span& one : from.workers[i].spans)
                if (is_on_a_core(one))
                    add(changes[one.core], one.start, one.end, i);
    std::map<int, disputes> disputed;
    for (auto& [core, all] : changes)
        if (disputes found = disputes_among(std::move(all)); !found.empty())
            disputed.emplace(core, std::move(found));
    return disputed;
}

void append(std::vector<span>& spans, span one) {
    if (one.end <= one.start)
        return;
    if (!spans.empty() && spans.back().end == one.start && spans.back().state == one.state &&
        spans.back().gil == one.gil && spans.back().core == one.core)
        spans.back().end = one.end;
    else
        spans.push_back(one);
}

void append_without_core(std::vector<span>& spans, span one, nanoseconds start, nanoseconds end) {
    one.core = -1;
    one.start = start;
    one.end = end;
    append(spans, one);
}

/// `one` with its core only where no other worker has it.
void append_settled(std::vector<span>& spans, span one, std::size_t worker, const disputes& disputed) {
    const auto end_of = [](const dispute& each) { return each.when.end; };
    for (auto next = std::ranges::upper_bound(disputed, one.start, {}, end_of);
         next != disputed.end() && next->when.start < one.end; ++next) {
        const interval part = next->part_of(worker);
        span before = one;
        before.end = next->when.start;
        append(spans, before);
        append_without_core(spans, one, next->when.start, part.start);
        span own = one;
        own.start = part.start;
        own.end = part.end;
        append(spans, own);
        append_without_core(spans, one, part.end, next->when.end);
        one.start = next->when.end;
    }
    append(spans, one);
}

} // namespace

togetherness togetherness_of(const report& from) {
    std::vector<change> changes;
    for (const worker_record& worker : from.workers) {
        if (!worker.run)
            continue;
        if (worker.spans.empty())
            add(changes, worker.run->start, worker.run->end, 0);
        for (const span& one : worker.spans)
            if (is_active(one))
                add(changes, std::max(one.start, worker.run->start), std::min(one.end, worker.run->end), 0);
    }
    sort(changes);
    togetherness sum;
    int there = 0;
    nanoseconds since{};
    for (const change& one : changes) {
        sum.any += there >= 1 ? one.when - since : nanoseconds{0};
        sum.several += there >= 2 ? one.when - since : nanoseconds{0};
        there += one.by;
        since = one.when;
    }
    return sum;
}

void settle_cores(report& from) {
    const auto disputed = disputed_in(from);
    if (disputed.empty())
        return;
    for (std::size_t i = 0; i < from.workers.size(); ++i) {
        worker_record& worker = from.workers[i];
        if (worker.lane == lane_kind::process)
            continue;
        std::vector<span> settled;
        for (const span& one : worker.spans) {
            const auto there = is_on_a_core(one) ? disputed.find(one.core) : disputed.end();
            if (there == disputed.end())
                append(settled, one);
            else
                append_settled(settled, one, i, there->second);
        }
        worker.spans = std::move(settled);
    }
}

} // namespace xcores::model
