// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/model/downsample.hpp>

#include <algorithm>
#include <map>

namespace xcores::model {

namespace {

/// What one window of time held of one way of spending it.
struct share {
    thread_state state{};
    gil_state gil{};
    nanoseconds length{};
    std::map<int, nanoseconds> cores;

    int main_core() const {
        const auto length_of = [](const auto& one) { return one.second; };
        return std::ranges::max_element(cores, {}, length_of)->first;
    }
};

void append(std::vector<span>& to, const span& next) {
    const bool same = !to.empty() && to.back().end == next.start && to.back().state == next.state &&
                      to.back().gil == next.gil && to.back().core == next.core;
    if (same)
        to.back().end = next.end;
    else
        to.push_back(next);
}

class gathering {
public:
    gathering(nanoseconds width, std::vector<span>& to) : width_(width), to_(to) {}

    void add(const span& one) {
        for (nanoseconds at = one.start; at < one.end;) {
            const auto window = at / width_;
            if (window != window_)
                flush();
            window_ = window;
            const nanoseconds end = std::min(one.end, (window + 1) * width_);
            put(one, at, end);
            at = end;
        }
    }

    void flush() {
        nanoseconds at = start_;
        for (const share& one : shares_) {
            append(to_, {at, at + one.length, one.state, one.gil, one.main_core()});
            at += one.length;
        }
        shares_.clear();
    }

private:
    void put(const span& one, nanoseconds start, nanoseconds end) {
        if (shares_.empty())
            start_ = start;
        auto same = std::ranges::find_if(
            shares_, [&](const share& known) { return known.state == one.state && known.gil == one.gil; });
        if (same == shares_.end())
            same = shares_.insert(shares_.end(), share{one.state, one.gil, {}, {}});
        same->length += end - start;
        same->cores[one.core] += end - start;
    }

    nanoseconds width_;
    std::vector<span>& to_;
    std::vector<share> shares_;
    nanoseconds start_{};
    nanoseconds::rep window_ = -1;
};

nanoseconds end_of(const report& from) {
    nanoseconds end = from.elapsed;
    for (const worker_record& worker : from.workers)
        if (!worker.spans.empty())
            end = std::max(end, worker.spans.back().end);
    return end;
}

std::vector<span> gathered(const std::vector<span>& spans, nanoseconds width) {
    std::vector<span> few;
    gathering windows(width, few);
    for (const span& one : spans)
        windows.add(one);
    windows.flush();
    return few;
}

} // namespace

std::size_t number_of_spans(const report& from) {
    std::size_t number = 0;
    for (const worker_record& worker : from.workers)
        number += worker.spans.size();
    return number;
}

report downsampled(const report& from, std::size_t windows) {
    report few = from;
    const auto parts = static_cast<nanoseconds::rep>(std::max(windows, std::size_t{1}));
    const nanoseconds width = std::max(end_of(from) / parts, nanoseconds{1});
    for (worker_record& worker : few.workers) {
        // Spans of nonsensical times, as a file may hold, are not worth an endless loop.
        const bool usable = std::ranges::all_of(
            worker.spans, [&](const span& one) { return one.start >= nanoseconds{0} && one.end >= one.start; });
        worker.spans = windows == 0 || !usable ? std::vector<span>{} : gathered(worker.spans, width);
    }
    const std::size_t before = number_of_spans(from);
    if (number_of_spans(few) >= before)
        return from;
    few.downsampled_from = from.downsampled_from.value_or(static_cast<std::int64_t>(before));
    return few;
}

} // namespace xcores::model
