// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/run/sample_log.hpp>

#include <algorithm>
#include <new>
#include <thread>

#include <sys/mman.h>

#include <xcores/os/clock.hpp>

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

/// Without what cannot be: a process may have written anything over its log.
std::vector<model::span> sane(std::vector<model::span> read) {
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
    const auto state = static_cast<model::thread_state>(rest & 0xFFU);
    const auto gil = static_cast<model::gil_state>(rest >> 8U & 0xFFU);
    const auto core = std::max(-1, static_cast<std::int32_t>(rest >> 32U));
    return {start_ns_.load(order), end_ns_.load(order), core, std::min(state, model::thread_state::blocked),
            std::min(gil, model::gil_state::held)};
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
    offered_ = 0;
    step_ns_ = 0;
    count_ = 0;
}

void sample_log::append(nanoseconds start, nanoseconds end, model::thread_state state, model::gil_state gil,
                        int core) noexcept {
    const writing guard(sequence_);
    ++offered_;
    entry next{start.count(), end.count(), core, state, gil};
    const auto reached = count_ > 0 ? places_[count_ - 1].get().end_ns : start.count();
    if (step_ns_ > 0) {
        const auto points = (next.end_ns - reached) / step_ns_; // of the grid that it covers
        if (points <= 0)
            return;
        next.start_ns = reached;
        next.end_ns = reached + points * step_ns_;
    }
    if (count_ > 0 && reached == next.start_ns && extend_last(next))
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

// Keeps what lies under each point of a grid of twice the mean distance of what was appended.
void sample_log::halve() noexcept {
    const std::uint64_t old = count_;
    const auto first = places_[0].get().start_ns;
    const auto last = places_[old - 1].get().end_ns;
    const auto mean = (last - first) / static_cast<std::int64_t>(std::max<std::uint64_t>(1, offered_));
    step_ns_ = 2 * (step_ns_ > 0 ? step_ns_ : std::max<std::int64_t>(1, mean));
    const auto step = step_ns_;
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
    constexpr nanoseconds patience = std::chrono::milliseconds{20};
    const auto until = os::now() + patience; // not a number of attempts: on a busy machine each may take milliseconds
    for (;;) {
        const auto before = sequence_.load(std::memory_order_acquire);
        const bool writing = before % 2 != 0;
        // The process that wrote may have been killed amid a sample: then this never ends, and what is whole is taken.
        const bool gives_up = os::now() >= until;
        if (writing && !gives_up) {
            std::this_thread::yield();
            continue;
        }
        auto result = read(origin, most);
        // A fence in other words, ones that ThreadSanitizer understands: what was read stays before it.
        if (sequence_.fetch_add(0, std::memory_order_acq_rel) == before && !writing)
            return sane(std::move(result));
        if (!gives_up)
            continue;
        if (!result.empty())
            result.pop_back(); // it was being written
        return sane(std::move(result));
    }
}

} // namespace xcores::run
