// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <condition_variable>
#include <mutex>

namespace xcores::run {

/// Lets all workers begin at the same moment. Opens when the last one has arrived, or by hand.
/// Thread: any.
class gate {
public:
    explicit gate(int expected) : missing_(expected) {}

    /// True for the last one, who is expected to call open() after what is to be done between arriving and beginning.
    bool arrive() {
        const std::lock_guard lock(mutex_);
        return --missing_ == 0;
    }
    void open() {
        const std::lock_guard lock(mutex_);
        open_ = true;
        opened_.notify_all();
    }
    void wait() {
        std::unique_lock lock(mutex_);
        opened_.wait(lock, [this] { return open_; });
    }

private:
    std::mutex mutex_;
    std::condition_variable opened_;
    int missing_;
    bool open_ = false;
};

} // namespace xcores::run
