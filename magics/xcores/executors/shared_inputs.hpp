// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include <xcores/executors/wire.hpp>

namespace xcores::executors {

/// The large buffers of inputs in shared memory: written by the first worker that needs them, for all that have the
/// same input, or another with the same constant buffers at the same time. One block is kept for the next run, because
/// most of the time goes into getting pages, not into copying.
///
/// - Thread: any.
/// - Lifetime: keep what of() gave until the worker does not look at it any more; then others may be written over it.
/// - Failure: std::system_error.
class shared_inputs : public std::enable_shared_from_this<shared_inputs> {
public:
    std::shared_ptr<const wire::shared_buffers> of(const std::shared_ptr<const run::payload>& input);

private:
    struct constant {
        const std::byte* data;
        std::size_t size;
        std::weak_ptr<const void> owner;
    };
    struct entry {
        std::weak_ptr<const run::payload> input;
        std::weak_ptr<const wire::shared_buffers> buffers;
        std::vector<constant> sources; ///< the large buffers, if all of them are constant
    };
    static std::vector<constant> sources_of(const run::payload&);
    static bool same(const std::vector<constant>&, const std::vector<constant>&);
    std::shared_ptr<os::shared_block> take(std::size_t size);
    void put_back(std::unique_ptr<os::shared_block>) noexcept;

    std::mutex mutex_; ///< held while writing: who needs the same buffers waits for them
    std::vector<entry> entries_;
    std::mutex spare_mutex_;
    std::unique_ptr<os::shared_block> spare_;
};

} // namespace xcores::executors
