// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <xcores/run/sample_log.hpp>
#include <xcores/run/worker_body.hpp>

namespace xcores::executors {

/// The end of one item of a mapped cell, on its way out of a process worker.
struct item_result {
    std::int64_t index = 0;
    run::reply how;
};

/// As bytes, without the buffers of its output. Both sides are the same build on the same machine.
std::string packed(const item_result&);
/// Failure: std::runtime_error for what packed() did not make.
std::vector<item_result> unpacked(std::string_view bytes);

/// Results that a process worker has made and not sent yet, in memory shared with the kernel: a process that dies loses
/// the item it is at, and none of those before. Lies in zeroed memory.
/// Thread: one writer, and one reader while the writer waits or is gone.
class outbox {
public:
    static constexpr std::size_t capacity = std::size_t{1} << 20; ///< touched as it fills

    bool put(std::string_view bytes) noexcept; ///< false: there is no room
    bool empty() const noexcept { return used_.load() == 0; }
    std::string take();

private:
    std::atomic<std::uint64_t> used_;
    char bytes_[capacity];
};

/// What a process worker and the kernel share.
struct worker_memory {
    run::sample_log samples;
    outbox results;
};

} // namespace xcores::executors
