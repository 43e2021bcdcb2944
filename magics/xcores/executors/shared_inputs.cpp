// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/executors/shared_inputs.hpp>

#include <algorithm>

namespace xcores::executors {

std::shared_ptr<const wire::shared_buffers> shared_inputs::of(const std::shared_ptr<const run::payload>& input) {
    const std::lock_guard lock(mutex_);
    std::erase_if(entries_, [](const entry& one) { return one.buffers.expired(); });
    auto sources = sources_of(*input);
    for (const auto& one : entries_)
        if (one.input.lock() == input || same(one.sources, sources))
            if (auto buffers = one.buffers.lock())
                return buffers;
    const auto made =
        std::make_shared<const wire::shared_buffers>(*input, [this](std::size_t size) { return take(size); });
    entries_.push_back({input, made, std::move(sources)});
    return made;
}

std::vector<shared_inputs::constant> shared_inputs::sources_of(const run::payload& input) {
    std::vector<constant> sources;
    for (const auto& one : input.buffers) {
        if (one.size < wire::shared_from)
            continue;
        if (!one.constant)
            return {};
        sources.push_back({one.data, one.size, one.owner});
    }
    return sources;
}

// While its owner is there, nothing else can be in the place of a source.
bool shared_inputs::same(const std::vector<constant>& known, const std::vector<constant>& wanted) {
    return !known.empty() && std::ranges::equal(known, wanted, [](const constant& one, const constant& other) {
        return one.data == other.data && one.size == other.size && !one.owner.expired();
    });
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
