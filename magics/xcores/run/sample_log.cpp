// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/run/sample_log.hpp>

#include <algorithm>
#include <new>
#include <thread>

#include <sys/mman.h>

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

/// Of what was read while it was being written: without the last one, and without what cannot be.
std::vector<model::span> whole_ones(std::vector<model::span> read) {
    if (!read.empty())
        read.pop_back();
    nanoseconds reached = nanoseconds::min();
    std::erase_if(read, [&reached](const model::span& one) {
        const bool fits = one.start >= reached && one.end >= one.start;
        reached = fits ? one.end : reached;
        return !fits;
    });
    return read;
}

} // namespace

sample_log::entry sample_log::place::get() const noexcept {
    constexpr auto order = std::memory_order_relaxed;
    const auto rest = rest_.load(order);
    return {start_ns_.load(order), end_ns_.load(order), static_cast<std::int32_t>(rest >> 32U),
            static_cast<model::thread_state>(rest & 0xFFU), static_cast<model::gil_state>(rest >> 8U & 0xFFU)};
}

void sample_log::place::set(const entry& one) noexcept {
    constexpr auto order = std::memory_order_relaxed;
    start_ns_.store(one.start_ns, order);
    end_ns_.store(one.end_ns, order);
    rest_.store(static_cast<std::uint64_t>(static_cast<std::uint32_t>(one.core)) << 32U |
                    static_cast<std::uint64_t>(one.gil) << 8U | static_cast<std::uint64_t>(one.state),
                order);
}

sample_log::owner sample_log::create() {
    void* memory = ::mmap(nullptr, sizeof(sample_log), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        throw std::bad_alloc();
    return owner(static_cast<sample_log*>(memory));
}

void sample_log::unmap::operator()(sample_log* log) const noexcept {
    ::munmap(log, sizeof(sample_log));
}

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
    const auto from = stride_ > 1 && count_ > 0 ? places_[count_ - 1].get().end_ns : start.count();
    const entry next{from, end.count(), core, state, gil};
    if (count_ > 0 && places_[count_ - 1].get().end_ns == from && extend_last(next))
        return;
    if (count_ == capacity)
        halve();
    push(next);
}

void sample_log::push(const entry& next) noexcept {
    places_[count_++].set(next);
}

bool sample_log::extend_last(const entry& next) noexcept {
    auto last = places_[count_ - 1].get();
    if (last.state != next.state || last.gil != next.gil || last.core != next.core)
        return false;
    last.end_ns = next.end_ns;
    places_[count_ - 1].set(last);
    return true;
}

// Walks the spans on a grid of twice the mean sample distance and keeps what lies under each grid point.
void sample_log::halve() noexcept {
    const std::uint64_t old = count_;
    const auto first = places_[0].get().start_ns;
    const auto last = places_[old - 1].get().end_ns;
    const auto samples = static_cast<std::int64_t>(ticks_ / stride_);
    const auto step = 2 * std::max<std::int64_t>(1, (last - first) / std::max<std::int64_t>(1, samples));
    count_ = 0;
    std::uint64_t under = 0;
    auto one = places_[0].get();
    for (auto at = first + step; at <= last; at += step) {
        while (under + 1 < old && one.end_ns < at)
            one = places_[++under].get();
        // What is kept never overtakes what is read: the grid is coarser than the spans when the log is full.
        auto kept = one;
        kept.start_ns = at - step;
        kept.end_ns = at;
        if (count_ == 0 || !extend_last(kept))
            push(kept);
    }
    stride_ *= 2;
}

std::vector<model::span> sample_log::read(nanoseconds origin, std::size_t most) const {
    const auto count = std::min<std::size_t>(count_.load(std::memory_order_relaxed), capacity);
    const auto kept = std::min(count, most);
    std::vector<model::span> result;
    result.reserve(kept);
    for (auto i = count - kept; i < count; ++i) {
        const auto one = places_[i].get();
        result.push_back(
            {nanoseconds{one.start_ns} - origin, nanoseconds{one.end_ns} - origin, one.state, one.gil, one.core});
    }
    return result;
}

std::vector<model::span> sample_log::spans(nanoseconds origin, std::size_t most) const {
    constexpr int patience = 10'000;
    for (int attempt = 0;; ++attempt) {
        const auto before = sequence_.load(std::memory_order_acquire);
        const bool writing = before % 2 != 0;
        // The process that wrote may have been killed amid a sample: then this never ends, and what is whole is taken.
        const bool gives_up = attempt >= patience;
        if (writing && !gives_up) {
            std::this_thread::yield();
            continue;
        }
        auto result = read(origin, most);
        // A fence in other words, ones that ThreadSanitizer understands: what was read stays before it.
        if (sequence_.fetch_add(0, std::memory_order_acq_rel) == before && !writing)
            return result;
        if (gives_up)
            return whole_ones(std::move(result));
    }
}

} // namespace xcores::run
