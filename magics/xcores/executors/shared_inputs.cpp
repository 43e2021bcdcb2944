// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/executors/shared_inputs.hpp>

namespace xcores::executors {

std::shared_ptr<const wire::shared_buffers> shared_inputs::of(const std::shared_ptr<const run::payload>& input) {
    const std::lock_guard lock(mutex_);
    std::erase_if(entries_, [](const entry& one) { return one.buffers.expired() || one.input.expired(); });
    for (const auto& one : entries_)
        if (one.input.lock() == input)
            if (auto buffers = one.buffers.lock())
                return buffers;
    const auto made =
        std::make_shared<const wire::shared_buffers>(*input, [this](std::size_t size) { return take(size); });
    entries_.push_back({input, made});
    return made;
}

std::shared_ptr<os::shared_block> shared_inputs::take(std::size_t size) {
    std::unique_ptr<os::shared_block> block;
    {
        const std::lock_guard lock(spare_mutex_);
        block = std::move(spare_);
    }
    if (!block || block->capacity() < size)
        block = std::make_unique<os::shared_block>(size);
    return {block.release(), [self = weak_from_this()](os::shared_block* one) {
                std::unique_ptr<os::shared_block> owned(one);
                if (const auto kept = self.lock())
                    kept->put_back(std::move(owned));
            }};
}

void shared_inputs::put_back(std::unique_ptr<os::shared_block> block) noexcept {
    constexpr std::size_t most = std::size_t{256} << 20U; // of memory that may lie idle
    if (block->capacity() > most)
        return;
    const std::lock_guard lock(spare_mutex_);
    if (!spare_ || spare_->capacity() < block->capacity())
        std::swap(spare_, block);
}

} // namespace xcores::executors
