// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <xcores/os/futex.hpp>
#include <xcores/run/worker_body.hpp>

namespace xcores::python {

/// What futures and streams of this process are to be told, by a thread that runs Python.
/// Thread: any. GIL: wait() is called without; the rest never waits.
class notice_board {
public:
    struct output {
        run::stream from;
        std::string text;
        std::shared_ptr<void> origin; ///< of the job that printed it
    };

    void put(output one) {
        const std::lock_guard lock(mutex_);
        outputs_.push_back(std::move(one));
        change();
    }
    void put(std::shared_ptr<void> future) {
        const std::lock_guard lock(mutex_);
        over_.push_back(std::move(future));
        change();
    }
    void close() {
        const std::lock_guard lock(mutex_);
        closed_ = true;
        change();
    }
    bool has_output() const noexcept { return changed_.load(std::memory_order_acquire); }
    std::vector<output> take_output() {
        const std::lock_guard lock(mutex_);
        changed_ = false;
        return std::exchange(outputs_, {});
    }
    std::vector<std::shared_ptr<void>> take_over() {
        const std::lock_guard lock(mutex_);
        return std::exchange(over_, {});
    }
    /// False: closed, and nothing left.
    bool wait() {
        for (;;) {
            const auto seen = changes_.word().load();
            {
                const std::lock_guard lock(mutex_);
                if (!outputs_.empty() || !over_.empty() || closed_)
                    return !outputs_.empty() || !over_.empty();
            }
            changes_.wait(seen, os::for_ever);
        }
    }

private:
    void change() {
        changed_ = !outputs_.empty();
        changes_.word().fetch_add(1);
        changes_.wake_one();
    }
    os::futex changes_;
    std::atomic<bool> changed_ = false;
    std::mutex mutex_;
    std::vector<output> outputs_;
    std::vector<std::shared_ptr<void>> over_;
    bool closed_ = false;
};

} // namespace xcores::python
