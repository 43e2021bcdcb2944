// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <xcores/model/report.hpp>
#include <xcores/os/shared_memory.hpp>
#include <xcores/run/sampler.hpp>
#include <xcores/run/surroundings.hpp>

namespace xcores::run {

/// One subject over the time of a recording.
struct trace {
    subject what;
    std::string name;
    model::interval seen;   ///< since the recording began
    bool was_there = false; ///< before the recording began
    nanoseconds cpu{};      ///< during the recording
    std::optional<nanoseconds> queue_wait;
    nanoseconds sampled{}; ///< for so long its events were not recorded; of a thread
    std::vector<model::span> spans;
};

struct recording {
    nanoseconds wall{};
    std::vector<trace> traces; ///< in order of appearance
    std::size_t left_out = 0;  ///< subjects that were there when too many were being watched
    std::vector<surroundings::gil> gils;
    model::sampling_record sampling;
};

/// Watches what comes and goes, and hands it to a sampler. Whether anything has, the sampler asks at each look; what
/// lives shorter than the time between two of these may be missed.
///
/// - Thread: any one at a time, so_far() beside it; it lists on a thread of its own.
/// - GIL: takes none; stop() is called without any, because it waits.
/// - Failure: the constructor throws std::system_error where there can be no thread.
class recorder {
public:
    static constexpr std::size_t most_watched = 256; ///< at once: each costs memory and open files

    recorder(std::unique_ptr<surroundings>, nanoseconds period);
    ~recorder();
    recorder(const recorder&) = delete;
    recorder& operator=(const recorder&) = delete;

    /// What there is to see now: who is there, or was within the last second, with the latest spans.
    recording so_far();

    /// Once.
    recording stop();

private:
    struct watch {
        trace what;
        std::unique_ptr<watched> by;
        os::shared_memory log; ///< zeroed pages that take memory only as they fill
        nanoseconds cpu_before{};
        std::optional<nanoseconds> queue_wait_before;
    };
    void loop() noexcept;
    void list(surroundings::care);
    void begin(const subject&, nanoseconds time);
    nanoseconds cpu_before(const subject&, watched&, nanoseconds time) const;
    const watch* same_thread(const subject&) const; ///< in another interpreter; null: there is none
    trace seen_of(watch&, nanoseconds time, std::size_t most_spans) const;
    void end(watch&, nanoseconds time);
    void halt() noexcept;

    const std::unique_ptr<surroundings> around_;
    const nanoseconds start_;
    std::mutex mutex_;
    std::condition_variable wake_;
    bool stopping_ = false;
    std::atomic<bool> changed_ = false;
    sampler sampler_; ///< its thread uses what stands above
    std::map<subject, watch> current_;
    recording made_;
    nanoseconds cost_{};
    bool listed_once_ = false;
    std::thread thread_;
};

} // namespace xcores::run
