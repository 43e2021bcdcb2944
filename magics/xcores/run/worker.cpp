// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/run/worker.hpp>

#include <algorithm>
#include <atomic>
#include <thread>

#include <xcores/os/machine.hpp>
#include <xcores/os/named_thread.hpp>
#include <xcores/os/thread_probe.hpp>

namespace xcores::run {

std::shared_ptr<worker> worker::create(std::unique_ptr<worker_body> body) {
    static std::atomic<std::int64_t> serial = 0;
    const std::shared_ptr<worker> made(new worker(std::move(body), ++serial));
    os::named_thread(os::worker_thread_name, [made] { made->loop(); }).detach();
    return made;
}

std::optional<std::int64_t> worker::memory_bytes() const noexcept {
    const auto bytes = memory_.load();
    return bytes == unknown ? std::nullopt : std::optional(bytes);
}

void worker::grow(std::int64_t bytes) noexcept {
    auto before = memory_.load();
    while (before != unknown && !memory_.compare_exchange_weak(before, std::max<std::int64_t>(0, before + bytes))) {
    }
}

void worker::give(job next) {
    const std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(next));
    changed_.notify_all();
}

void worker::retire() {
    const std::lock_guard lock(mutex_);
    leaving_ = true;
    changed_.notify_all();
}

void worker::abandon() {
    {
        const std::lock_guard lock(mutex_);
        abandoned_ = true;
    }
    retire();
}

bool worker::left_behind() const {
    const std::lock_guard lock(mutex_);
    return abandoned_ && !ended_;
}

bool worker::ending() const {
    const std::lock_guard lock(mutex_);
    return leaving_ && !abandoned_ && !ended_;
}

bool worker::ended() const {
    const std::lock_guard lock(mutex_);
    return ended_;
}

bool worker::usable() const {
    const std::lock_guard lock(mutex_);
    return !leaving_ && (!opened || body_->alive());
}

bool worker::wait_until_ended(nanoseconds time) const {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, time, [this] { return ended_; });
}

void worker::loop() noexcept {
    for (;;) {
        job next;
        {
            std::unique_lock lock(mutex_);
            changed_.wait(lock, [this] { return leaving_ || !jobs_.empty(); });
            if (jobs_.empty())
                break;
            next = std::move(jobs_.front());
            jobs_.pop_front();
        }
        next(*this);
    }
    if (opened && body_->lends()) {
        mark_ended(); // how long results are kept is up to the user: nobody should wait for that
        body_->await_returns();
    }
    if (opened)
        body_->close();
    mark_ended();
}

void worker::mark_ended() noexcept {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    changed_.notify_all();
}

std::vector<std::shared_ptr<worker>> pool::acquire(int count) {
    std::vector<std::shared_ptr<worker>> taken;
    std::vector<std::shared_ptr<worker>> broken;
    {
        const std::lock_guard lock(mutex_);
        const auto wanted = static_cast<std::size_t>(count);
        while (taken.size() < wanted && !idle_.empty()) {
            auto first = std::move(idle_.front());
            idle_.erase(idle_.begin());
            (first->usable() ? taken : broken).push_back(std::move(first));
        }
    }
    for (const auto& one : broken)
        one->retire();
    while (taken.size() < static_cast<std::size_t>(count))
        taken.push_back(made());
    return taken;
}

std::shared_ptr<worker> pool::made() {
    auto one = worker::create(make_());
    const std::lock_guard lock(mutex_);
    std::erase_if(all_, [](const auto& other) { return other.expired(); });
    all_.push_back(one);
    return one;
}

std::shared_ptr<worker> pool::take(const std::shared_ptr<worker>& wanted) {
    const std::lock_guard lock(mutex_);
    const auto found = std::ranges::find(idle_, wanted);
    if (!wanted || found == idle_.end())
        return nullptr;
    idle_.erase(found);
    return wanted;
}

std::vector<std::shared_ptr<worker>> pool::acquire_kept(int count) {
    std::vector<std::weak_ptr<worker>> before;
    {
        const std::lock_guard lock(mutex_);
        before = kept_;
    }
    before.resize(std::max(before.size(), static_cast<std::size_t>(count)));
    std::vector<std::shared_ptr<worker>> taken;
    for (int i = 0; i < count; ++i) {
        auto& its_place = before[static_cast<std::size_t>(i)];
        const auto last = its_place.lock();
        auto same = take(last);
        const bool is_busy = last && !same && last->usable(); // in the background: it stays the one of this place
        if (!same || !same->usable())
            same = take_other_than(before);
        taken.push_back(same ? std::move(same) : made());
        if (!is_busy)
            its_place = taken.back();
    }
    const std::lock_guard lock(mutex_);
    kept_ = std::move(before);
    return taken;
}

std::shared_ptr<worker> pool::take_other_than(const std::vector<std::weak_ptr<worker>>& kept) {
    const auto is_kept = [&](const std::shared_ptr<worker>& each) {
        return std::ranges::any_of(kept, [&](const std::weak_ptr<worker>& its) { return its.lock() == each; });
    };
    const std::lock_guard lock(mutex_);
    const auto found = std::ranges::find_if(
        idle_, [&](const std::shared_ptr<worker>& each) { return each->usable() && !is_kept(each); });
    if (found == idle_.end())
        return nullptr;
    auto taken = std::move(*found);
    idle_.erase(found);
    return taken;
}

void pool::give_back(std::shared_ptr<worker> one) {
    if (!one->usable()) {
        one->retire();
        return;
    }
    const std::lock_guard lock(mutex_);
    const auto by_serial = [](const auto& each) { return each->serial(); };
    idle_.insert(std::ranges::upper_bound(idle_, one->serial(), {}, by_serial), std::move(one));
}

std::vector<std::shared_ptr<worker>> pool::take_all() {
    const std::lock_guard lock(mutex_);
    return std::exchange(idle_, {});
}

std::vector<std::shared_ptr<worker>> pool::ending() const {
    std::vector<std::shared_ptr<worker>> found;
    const std::lock_guard lock(mutex_);
    for (const auto& weak : all_)
        if (auto each = weak.lock(); each && each->ending())
            found.push_back(std::move(each));
    return found;
}

void pool::retire_idle() {
    for (const auto& one : take_all())
        one->retire();
}

std::int64_t pool::start_memory(std::int64_t measured) {
    const std::lock_guard lock(mutex_);
    return start_memory_ = std::max(start_memory_, measured);
}

pool_state pool::state() const {
    pool_state now;
    const std::lock_guard lock(mutex_);
    now.idle = static_cast<int>(idle_.size());
    for (const auto& weak : all_) {
        const auto one = weak.lock();
        if (!one || one->ended() || std::ranges::find(idle_, one) != idle_.end())
            continue;
        if (one->left_behind())
            ++now.left_behind;
        else
            (one->serves ? now.serving : now.busy) += one->usable();
    }
    bool known = !idle_.empty();
    std::int64_t sum = 0;
    for (const auto& one : idle_) {
        const auto& body = one->body();
        const auto bytes = body.shares_process() ? one->memory_bytes() : os::resident_bytes_of(body.process_id());
        known = known && bytes;
        sum += bytes.value_or(0);
    }
    if (known)
        now.memory_bytes = sum;
    return now;
}

} // namespace xcores::run
