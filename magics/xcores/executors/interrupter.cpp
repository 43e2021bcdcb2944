// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/executors/interrupter.hpp>

#include <thread>

#include <xcores/cpython/thread_state.hpp>
#include <xcores/os/named_thread.hpp>
#include <xcores/os/thread_probe.hpp>

namespace xcores::executors {

void interrupter::request(const std::shared_ptr<running_code>& target) noexcept {
    target->requested = true;
    const std::lock_guard lock(mutex_);
    if (closed_)
        return;
    due_.push_back(target);
    if (!std::exchange(delivering_, true))
        os::named_thread("xcores stop", [self = shared_from_this()] { self->deliver(); }).detach();
}

void interrupter::deliver() noexcept {
    os::block_signals_on_this_thread();
    for (;;) {
        {
            const cpython::visiting inside(interpreter_);
            const std::lock_guard lock(mutex_);
            for (const auto& target : std::exchange(due_, {}))
                if (target->executing && target->requested.exchange(false)) {
                    target->raised = true;
                    PyThreadState_SetAsyncExc(target->thread_id, PyExc_KeyboardInterrupt);
                }
        }
        const std::lock_guard lock(mutex_);
        if (!due_.empty())
            continue;
        delivering_ = false;
        idle_.notify_all();
        return;
    }
}

void interrupter::close() noexcept {
    std::unique_lock lock(mutex_);
    closed_ = true;
    idle_.wait(lock, [this] { return !delivering_; });
}

} // namespace xcores::executors
