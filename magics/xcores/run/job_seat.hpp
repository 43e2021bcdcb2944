// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <xcores/run/job_queue.hpp>

/// Private to the job queue.
namespace xcores::run {

/// The place of one worker at the queue.
class job_queue::seat final : public job_source {
public:
    seat(job_queue& queue, int number) : index(number), queue_(queue) {}

    bool wait() override { return queue_.wait_for_more(*this); }
    bool park() override { return queue_.park(*this); }
    std::shared_ptr<call> unpark() override { return queue_.unpark(*this); }
    bool closed() const override { return queue_.serves_no_more(*this); }
    bool has_more() const noexcept override { return !initialised || queue_.waiting_.load() > 0; }
    call next() override { return queue_.next_call(*this); }
    void finish(call done, answer given) override { queue_.finish(*this, std::move(done), std::move(given)); }
    void give_back(call unused) override { queue_.give_back(std::move(unused)); }

    const int index;

    // Guarded by the queue's lock
    std::shared_ptr<worker> by; ///< until it has left
    sample_log::owner log;
    model::worker_record record;
    gil_identity gil;
    nanoseconds cpu_before{-1};
    std::shared_ptr<call> handed; ///< while it was parked
    bool arrived = false;         ///< ready for jobs
    bool idle = false;
    bool over = false; ///< it has left
    int begun = 0;     ///< calls

    // Set with the lock, cleared by the worker alone
    std::atomic<const job*> current = nullptr;

    // Written by the worker only
    bool initialised = false;
    std::atomic<std::int64_t> first_ns = -1;
    std::atomic<std::int64_t> last_ns = -1;

private:
    job_queue& queue_;
};

} // namespace xcores::run
