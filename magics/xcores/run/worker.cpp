// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/run/worker.hpp>

#include <algorithm>
#include <atomic>
#include <thread>

#include <xcores/os/machine.hpp>
#include <xcores/os/thread_probe.hpp>

namespace xcores::run {

std::shared_ptr<worker> worker::create(std::unique_ptr<worker_body> body) {
    static std::atomic<std::int64_t> serial = 0;
    const std::shared_ptr<worker> made(new worker(std::move(body), ++serial));
    std::thread([made] { made->loop(); }).detach();
    return made;
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
    os::block_signals_on_this_thread();
    os::name_this_thread(os::worker_thread_name);
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
        auto same = take(before[static_cast<std::size_t>(i)].lock());
        taken.push_back(same && same->usable() ? std::move(same) : nullptr);
    }
    auto others = acquire(static_cast<int>(std::ranges::count(taken, nullptr)));
    for (auto& one : taken)
        if (!one) {
            one = std::move(others.front());
            others.erase(others.begin());
        }
    std::ranges::copy(taken, before.begin());
    const std::lock_guard lock(mutex_);
    kept_ = std::move(before);
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

void pool::retire_idle() {
    for (const auto& one : take_all())
        one->retire();
}

pool_state pool::state() const {
    pool_state now;
    const std::lock_guard lock(mutex_);
    now.idle = static_cast<int>(idle_.size());
    for (const auto& weak : all_) {
        const auto one = weak.lock();
        if (!one || one->ended() || std::ranges::find(idle_, one) != idle_.end())
            continue;
        one->left_behind() ? ++now.left_behind : now.busy += one->usable();
    }
    for (const auto& one : idle_) {
        const auto& body = one->body();
        if (const auto bytes = body.shares_process() ? one->memory_bytes : os::resident_bytes_of(body.process_id()))
            now.memory_bytes = now.memory_bytes.value_or(0) + *bytes;
    }
    return now;
}

} // namespace xcores::run
