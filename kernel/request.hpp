// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>

namespace xcores::kernel {

/// The message that something is an answer to: outputs carry its header as their parent, and front ends put them
/// under its cell. Shared by whatever still produces output for it; immutable, except for the count.
struct request {
    nlohmann::json header;
    nlohmann::json metadata;
    std::atomic<std::uint64_t> outputs = 0; // published so far: texts, displays, results, errors, and clearing them
};

using request_ptr = std::shared_ptr<request>;

} // namespace xcores::kernel
