// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/run/sample_log.hpp>

#include <algorithm>

namespace xcores::run {
namespace {

/// Marks the log as being written for a scope.
class writing {
public:
    explicit writing(std::atomic<std::uint64_t>& sequence) noexcept : sequence_(sequence) {
        sequence_.fetch_add(1, std::memory_order_acq_rel);
    }
    ~writing() { sequence_.fetch_add(1, std::memory_order_release); }
    writing(const writing&) = delete;
    writing& operator=(const writing&) = delete;

private:
    std::atomic<std::uint64_t>& sequence_;
};

} // namespace

void sample_log::clear() noexcept {
    const writing guard(sequence_);
    ticks_ = 0;
    stride_ = 1;
    count_ = 0;
}

void sample_log::append(nanoseconds start, nanoseconds end, model::thread_state state, model::gil_state gil,
                        int core) noexcept {
    const writing guard(sequence_);
    if (++ticks_ % stride_ != 0)
        return;
    const auto from = stride_ > 1 && count_ > 0 ? entries_[count_ - 1].end_ns : start.count();
    push({from, end.count(), core, state, gil});
}

void sample_log::push(const entry& next) noexcept {
    if (count_ > 0) {
        auto& last = entries_[count_ - 1];
        if (last.end_ns == next.start_ns && last.state == next.state && last.gil == next.gil &&
            last.core == next.core) {
            last.end_ns = next.end_ns;
            return;
        }
    }
    if (count_ == capacity)
        halve();
    entries_[count_++] = next;
}

// Walks the spans on a grid of twice the mean sample distance and keeps what lies under each grid point.
void sample_log::halve() noexcept {
    const auto first = entries_[0].start_ns;
    const auto last = entries_[count_ - 1].end_ns;
    const auto samples = static_cast<std::int64_t>(ticks_ / stride_);
    const auto step = 2 * std::max<std::int64_t>(1, (last - first) / std::max<std::int64_t>(1, samples));
    const auto old = count_;
    count_ = 0;
    std::size_t under = 0;
    for (auto at = first + step; at <= last; at += step) {
        while (under + 1 < old && entries_[under].end_ns < at)
            ++under;
        // count_ never overtakes `under`: the grid is coarser than the spans when the log is full.
        auto kept = entries_[under];
        kept.start_ns = at - step;
        kept.end_ns = at;
        if (count_ > 0 && entries_[count_ - 1].state == kept.state && entries_[count_ - 1].gil == kept.gil &&
            entries_[count_ - 1].core == kept.core)
            entries_[count_ - 1].end_ns = at;
        else
            entries_[count_++] = kept;
    }
    stride_ *= 2;
}

std::vector<model::span> sample_log::spans(nanoseconds origin, std::size_t most) const {
    std::vector<model::span> result;
    for (;;) {
        const auto before = sequence_.load(std::memory_order_acquire);
        result.clear();
        if (before % 2 == 0) {
            const auto count = std::min<std::size_t>(count_, capacity);
            const auto kept = std::min(count, most);
            result.reserve(kept);
            for (auto i = count - kept; i < count; ++i) {
                const auto& one = entries_[i];
                result.push_back({nanoseconds{one.start_ns} - origin, nanoseconds{one.end_ns} - origin, one.state,
                                  one.gil, one.core});
            }
            std::atomic_thread_fence(std::memory_order_acquire);
            if (sequence_.load(std::memory_order_relaxed) == before)
                return result;
        }
    }
}

} // namespace xcores::run
