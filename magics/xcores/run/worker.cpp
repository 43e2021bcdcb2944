// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/run/worker.hpp>

#include <algorithm>
#include <thread>

#include <xcores/os/thread_probe.hpp>

namespace xcores::run {

std::shared_ptr<worker> worker::create(std::unique_ptr<worker_body> body) {
    const std::shared_ptr<worker> made(new worker(std::move(body)));
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
    retire();
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
    os::name_this_thread("xcores worker");
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
    if (opened)
        body_->close();
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
        taken.push_back(worker::create(make_()));
    return taken;
}

void pool::give_back(std::shared_ptr<worker> one) {
    if (!one->usable()) {
        one->retire();
        return;
    }
    const std::lock_guard lock(mutex_);
    idle_.push_back(std::move(one));
}

std::vector<std::shared_ptr<worker>> pool::take_all() {
    const std::lock_guard lock(mutex_);
    return std::exchange(idle_, {});
}

} // namespace xcores::run
