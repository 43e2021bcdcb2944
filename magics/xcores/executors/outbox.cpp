// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/executors/outbox.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <string_view>

#include <xcores/executors/usage_json.hpp>

namespace xcores::executors {
namespace {

constexpr auto no_code = std::numeric_limits<std::int64_t>::min();

struct header {
    std::int64_t index;
    std::int64_t kind;
    std::int64_t code;
    std::array<std::uint64_t, 5> sizes; ///< of type, message, traceback, summary, data, which follow
};

} // namespace

std::string packed(const item_result& from) {
    const auto& how = from.how.how;
    const std::array<std::string_view, 5> texts{how.type, how.message, how.traceback, from.how.summary,
                                                from.how.output.data};
    header head{from.index, static_cast<std::int64_t>(how.kind), how.code ? *how.code : no_code, {}};
    std::ranges::transform(texts, head.sizes.begin(), &std::string_view::size);
    std::string bytes(reinterpret_cast<const char*>(&head), sizeof head);
    for (const auto text : texts)
        bytes += text;
    return bytes;
}

std::vector<item_result> unpacked(std::string_view bytes) {
    std::vector<item_result> results;
    const auto next = [&bytes](std::uint64_t size) {
        if (size > bytes.size())
            throw std::runtime_error("a worker process sent results that are cut short");
        const auto part = bytes.substr(0, size);
        bytes.remove_prefix(size);
        return part;
    };
    while (!bytes.empty()) {
        header head;
        std::memcpy(&head, next(sizeof head).data(), sizeof head);
        item_result one;
        one.index = head.index;
        auto& how = one.how.how;
        how.kind = outcome_kind_of(head.kind);
        how.type = next(head.sizes[0]);
        how.message = next(head.sizes[1]);
        how.traceback = next(head.sizes[2]);
        one.how.summary = next(head.sizes[3]);
        one.how.output.data = next(head.sizes[4]);
        if (head.code != no_code)
            how.code = static_cast<int>(head.code);
        results.push_back(std::move(one));
    }
    return results;
}

bool outbox::put(std::string_view bytes) noexcept {
    const auto used = used_.load();
    if (used > capacity || bytes.size() > capacity - used)
        return false;
    std::memcpy(bytes_ + used, bytes.data(), bytes.size());
    used_.store(used + bytes.size()); // only now: a death before leaves no half of it
    return true;
}

std::string outbox::take() {
    std::string all(bytes_, std::min<std::uint64_t>(used_.load(), capacity));
    used_.store(0);
    return all;
}

} // namespace xcores::executors
