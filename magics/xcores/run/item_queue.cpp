// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/run/item_queue.hpp>

#include <algorithm>
#include <utility>

#include <xcores/os/clock.hpp>

namespace xcores::run {
namespace {

/// What a chunk is meant to take: long against the cost of asking for the next, short for a user who waits.
constexpr nanoseconds aim = std::chrono::milliseconds{4};
constexpr std::size_t largest_chunk = 1024;
constexpr std::size_t fast_growth = 4;

/// Chunks that wait for each worker, so that it need not wait for the maker, whom a GIL may hold up for some time.
constexpr std::size_t look_ahead = 4;

std::string line_of(const model::outcome& how) {
    const std::string text =
        how.type.empty() ? how.message : how.type + (how.message.empty() ? "" : ": " + how.message);
    return text.substr(0, text.find('\n'));
}

} // namespace

std::size_t chunk_size::after(std::size_t items, nanoseconds taken) noexcept {
    if (taken > aim) {
        const auto part = static_cast<double>(aim.count()) / static_cast<double>(taken.count());
        size_ = std::max<std::size_t>(1, static_cast<std::size_t>(static_cast<double>(items) * part));
    } else if (taken < aim / 2 && items >= size_) { // a smaller one was cut short, and proves nothing
        size_ = std::min(largest_chunk, size_ * (taken < aim / 8 ? fast_growth : 2));
    }
    return size_;
}

item_queue::item_queue(int workers, std::optional<std::int64_t> total, on_failure what)
    : total_(total), on_failure_(what), shares_(static_cast<std::size_t>(workers)) {}

void item_queue::when_hungry(std::function<void()> call) {
    hungry_ = std::move(call);
}

std::int64_t item_queue::wanted_now() const {
    if (complete_ || closed_)
        return 0;
    std::size_t chunks = 0;
    for (const auto& one : shares_)
        chunks += one.size.now();
    const auto room = chunks * look_ahead;
    // Nobody is asked for a few: filling up is cheaper by the dozen.
    return waiting_.size() > room / 2 ? 0 : static_cast<std::int64_t>(room - waiting_.size());
}

std::int64_t item_queue::wanted() const {
    const std::lock_guard lock(mutex_);
    return wanted_now();
}

void item_queue::add(std::vector<std::shared_ptr<const payload>> items) {
    const std::lock_guard lock(mutex_);
    for (auto& one : items)
        waiting_.push_back({added_++, std::move(one)});
    changed_.notify_all();
}

void item_queue::end() {
    const std::lock_guard lock(mutex_);
    complete_ = true;
    changed_.notify_all();
}

void item_queue::close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    changed_.notify_all();
}

bool item_queue::has_more() const {
    const std::lock_guard lock(mutex_);
    return !closed_ && !(complete_ && waiting_.empty());
}

/// Near the end, and where few items are known, nobody takes what another worker could begin at once.
std::size_t item_queue::fair_share() const {
    auto left = static_cast<std::int64_t>(waiting_.size());
    if (total_ && !complete_)
        left = std::max(left, *total_ - added_ + left);
    return std::max<std::size_t>(1, static_cast<std::size_t>(left) / (2 * shares_.size()));
}

item_chunk item_queue::next_for(share& mine) {
    const auto now = os::now();
    auto size = mine.size.now();
    if (mine.since > nanoseconds{0})
        size = mine.size.after(mine.taken, now - mine.since);
    mine.since = now;
    size = std::min(size, fair_share());
    item_chunk chunk;
    chunk.first = waiting_.front().index;
    while (!waiting_.empty() && mine.held.size() < size &&
           waiting_.front().index == chunk.first + static_cast<std::int64_t>(mine.held.size())) {
        chunk.items.push_back(waiting_.front().content);
        mine.held.push_back(std::move(waiting_.front()));
        waiting_.pop_front();
    }
    mine.taken = mine.held.size();
    return chunk;
}

void item_queue::tell_if_hungry(std::unique_lock<std::mutex>& lock) {
    const bool hungry = wanted_now() > 0 && hungry_;
    lock.unlock();
    if (hungry)
        hungry_();
}

std::optional<item_chunk> item_queue::take(int worker) {
    std::unique_lock lock(mutex_);
    auto& mine = shares_.at(static_cast<std::size_t>(worker));
    if (waiting_.empty())
        mine.since = {}; // what it waits says nothing about how long its items take
    changed_.wait(lock, [this] { return closed_ || complete_ || !waiting_.empty(); });
    if (closed_ || waiting_.empty())
        return std::nullopt;
    auto chunk = next_for(mine);
    tell_if_hungry(lock);
    return chunk;
}

std::optional<item_chunk> item_queue::try_take(int worker) {
    std::unique_lock lock(mutex_);
    if (closed_ || (complete_ && waiting_.empty()))
        return item_chunk{};
    if (waiting_.empty())
        return std::nullopt;
    auto chunk = next_for(shares_.at(static_cast<std::size_t>(worker)));
    tell_if_hungry(lock);
    return chunk;
}

bool item_queue::record_end(share& mine, int worker, reply how) {
    auto item = std::move(mine.held.front());
    mine.held.pop_front();
    using enum model::outcome_kind;
    const bool stopped = how.how.kind == interrupted || how.how.kind == timed_out;
    const bool wrong = how.how.kind != returned && !stopped;
    mine.done += !stopped;
    done_ += !stopped;
    failed_ += wrong;
    if (wrong && !first_failure_)
        first_failure_ = {item.index, worker, line_of(how.how)};
    ended_.push_back({item.index, worker, std::move(how), wrong || stopped ? std::move(item.content) : nullptr});
    return !wrong || on_failure_ == on_failure::go_on;
}

bool item_queue::finish(int worker, std::int64_t index, reply how) {
    const std::lock_guard lock(mutex_);
    auto& mine = shares_.at(static_cast<std::size_t>(worker));
    if (mine.held.empty() || mine.held.front().index != index) // of a worker that was given up meanwhile
        return true;
    return record_end(mine, worker, std::move(how));
}

item_queue::loss item_queue::lose(int worker, const model::outcome& how) {
    const std::lock_guard lock(mutex_);
    auto& mine = shares_.at(static_cast<std::size_t>(worker));
    if (mine.held.empty())
        return loss::none;
    const bool go_on = record_end(mine, worker, {how, {}, {}});
    waiting_.insert(waiting_.begin(), std::make_move_iterator(mine.held.begin()),
                    std::make_move_iterator(mine.held.end()));
    mine.held.clear();
    mine.since = {};
    changed_.notify_all();
    return go_on ? loss::item : loss::stops;
}

std::vector<item_end> item_queue::take_ended() {
    const std::lock_guard lock(mutex_);
    return std::exchange(ended_, {});
}

model::items_record item_queue::record() const {
    const std::lock_guard lock(mutex_);
    return {done_, failed_, complete_ ? std::optional(added_) : total_, first_failure_};
}

std::int64_t item_queue::done_by(int worker) const {
    const std::lock_guard lock(mutex_);
    return shares_.at(static_cast<std::size_t>(worker)).done;
}

} // namespace xcores::run
