// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/run/job.hpp>

#include <algorithm>
#include <iterator>
#include <utility>

#include <xcores/os/clock.hpp>
#include <xcores/run/lookout.hpp>

namespace xcores::run {
namespace {

constexpr std::uint32_t state_bits = 3;
constexpr std::uint32_t slept_on = 4;
constexpr std::uint32_t one_change = 8;

job::state state_in(std::uint32_t word) {
    return static_cast<job::state>(word & state_bits);
}

bool over(job::state one) {
    return one == job::state::ended || one == job::state::cancelled;
}

} // namespace

job::job(std::shared_ptr<const function> what, std::vector<payload> items, std::size_t wanted)
    : what_(std::move(what)), size_(items.size()), share_(wanted), items_(std::move(items)), limit_(items_.size()) {}

job::state job::now() const noexcept {
    return state_in(changes_.word().load(std::memory_order_acquire));
}

os::futex::wake job::wait(std::size_t first, nanoseconds time) {
    auto& word = changes_.word();
    auto seen = word.load(std::memory_order_acquire);
    const auto ready = [&] { return over(state_in(seen)) || (seen >= one_change && find(first)); };
    if (ready())
        return os::futex::wake::woken;
    static lookout answers;
    answers.look_while([&] {
        seen = word.load(std::memory_order_acquire);
        return seen < one_change || !ready();
    });
    const auto until = os::now() + time;
    while (!ready()) {
        const auto left = until - os::now();
        if (left <= nanoseconds{0})
            return os::futex::wake::timed_out;
        seen = word.fetch_or(slept_on, std::memory_order_acq_rel) | slept_on;
        if (ready())
            break;
        const auto how = changes_.wait(seen, left);
        seen = word.load(std::memory_order_acquire);
        if (how == os::futex::wake::signalled)
            return how;
    }
    return os::futex::wake::woken;
}

std::shared_ptr<const answer> job::find(std::size_t first) const {
    const std::lock_guard lock(mutex_);
    const auto found = answers_.find(first);
    return found == answers_.end() ? nullptr : found->second;
}

void job::forget(std::size_t first) {
    std::shared_ptr<const answer> dropped; // outlives the lock: its end may run code of others
    const std::lock_guard lock(mutex_);
    if (auto found = answers_.extract(first))
        dropped = std::move(found.mapped());
}

// The answers and counts were changed before, under the same lock.
void job::change(std::unique_lock<std::mutex> lock, state next) {
    const auto changed = changes_.word().load(std::memory_order_relaxed) / one_change + 1;
    const auto before = changes_.word().exchange(changed * one_change | static_cast<std::uint32_t>(next));
    const auto watcher = over(next) ? std::exchange(watcher_, nullptr) : nullptr;
    lock.unlock();
    if ((before & slept_on) != 0)
        changes_.wake_all();
    if (watcher)
        watcher();
}

void job::when_over(std::function<void()> watcher) {
    {
        const std::lock_guard lock(mutex_);
        if (!over(now())) {
            watcher_ = std::move(watcher);
            return;
        }
    }
    watcher();
}

// What nobody has begun is not wanted any more. It is let go without the lock: that may run code of others.
std::vector<job::share> job::drop_rest() {
    auto unused = std::exchange(again_, {});
    for (const auto& one : unused)
        finished_ += one.inputs.size();
    const auto next = items_.begin() + static_cast<std::ptrdiff_t>(claimed_);
    unused.push_back({claimed_, {std::move_iterator(next), std::move_iterator(items_.end())}});
    items_.resize(claimed_);
    limit_ = claimed_;
    return unused;
}

bool job::cancel() {
    std::vector<share> unused;
    std::unique_lock lock(mutex_);
    if (over(now()))
        return now() == state::cancelled;
    unused = drop_rest();
    if (claimed_ > finished_)
        return false;
    const bool all = answers_.empty();
    change(std::move(lock), all ? state::cancelled : state::ended);
    return all;
}

std::size_t job::left() const {
    const std::lock_guard lock(mutex_);
    auto count = limit_ - claimed_;
    for (const auto& one : again_)
        count += one.inputs.size();
    return count;
}

nanoseconds job::time_each() const {
    const std::lock_guard lock(mutex_);
    return each_;
}

job::share job::claim(std::size_t most) {
    const std::lock_guard lock(mutex_);
    if (!again_.empty()) {
        auto taken = std::move(again_.back());
        again_.pop_back();
        return taken;
    }
    const auto count = std::min(most, limit_ - claimed_);
    share taken{claimed_, {}};
    taken.inputs.reserve(count);
    for (std::size_t i = 0; i < count; ++i)
        taken.inputs.push_back(std::move(items_[claimed_++]));
    if (count > 0 && taken.first == 0)
        changes_.word().fetch_or(static_cast<std::uint32_t>(state::running), std::memory_order_acq_rel);
    return taken;
}

void job::give_back(share unused) {
    const std::lock_guard lock(mutex_);
    again_.push_back(std::move(unused));
}

void job::finish(std::size_t first, std::size_t count, nanoseconds took, answer given) {
    auto kept = std::make_shared<const answer>(std::move(given));
    std::vector<share> unused;
    std::unique_lock lock(mutex_);
    const auto each = took / static_cast<std::int64_t>(std::max<std::size_t>(1, count));
    each_ = each_ > nanoseconds{0} ? (each_ + each) / 2 : each;
    if (kept->how.kind != model::outcome_kind::returned)
        unused = drop_rest();
    finished_ += count;
    answers_.emplace(first, std::move(kept));
    change(std::move(lock), finished_ == limit_ ? state::ended : state::running);
}

} // namespace xcores::run
