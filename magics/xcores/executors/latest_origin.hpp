// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <memory>
#include <mutex>
#include <string_view>
#include <utility>

#include <xcores/run/job.hpp>
#include <xcores/run/worker_body.hpp>

namespace xcores::executors {

/// Within a sink that job output goes to: for whom the job is done that printed it, as whoever made the job put it into
/// `payload::origin` of its items. Null: unknown.
inline std::shared_ptr<void>& origin_of_output() noexcept {
    thread_local std::shared_ptr<void> origin;
    return origin;
}

/// Whose job a worker has begun last: what it prints from then on belongs there. Thread: any.
class latest_origin {
public:
    void set(const run::call& begun) { replace(begun.inputs.empty() ? nullptr : begun.inputs.front().origin); }
    void reset() { replace(nullptr); }

    /// Lifetime: the sink's is within this one's.
    run::output_sink sink_to(const run::output_sink& output) const {
        if (!output)
            return {};
        return [this, output](run::stream to, std::string_view text) {
            origin_of_output() = get();
            output(to, text);
            origin_of_output().reset();
        };
    }

private:
    void replace(std::shared_ptr<void> origin) {
        const std::lock_guard lock(mutex_);
        std::swap(origin_, origin); // the one before is let go of without the lock
    }
    std::shared_ptr<void> get() const {
        const std::lock_guard lock(mutex_);
        return origin_;
    }
    mutable std::mutex mutex_;
    std::shared_ptr<void> origin_;
};

} // namespace xcores::executors
