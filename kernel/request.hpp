// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <memory>
#include <nlohmann/json.hpp>

namespace xcores::kernel {

/// The message that something is an answer to: outputs carry its header as their parent, and front ends put them
/// under its cell. Immutable, shared by whatever still produces output for it.
struct request {
    nlohmann::json header;
    nlohmann::json metadata;
};

using request_ptr = std::shared_ptr<request>;

} // namespace xcores::kernel
