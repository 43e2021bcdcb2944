// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace xcores::os {

std::vector<int> usable_cores();                       ///< the cores this process may run on, ascending; never empty
std::string cpu_model();                               ///< as the system names it; empty when unknown
std::string platform();                                ///< "Linux 6.1 x86_64"
std::optional<std::int64_t> resident_bytes() noexcept; ///< resident memory of this process
std::optional<std::int64_t> resident_bytes_of(std::int64_t process) noexcept;

int threads_of_this_process() noexcept; ///< 0 when unknown

/// Memory of this process, with an eye to what it shares.
struct shared_view {
    std::optional<std::int64_t> proportional; ///< each page divided by the number of processes that have it
    std::optional<std::int64_t> unique;       ///< pages of no other process
};
shared_view memory_shares() noexcept; ///< walks all pages: about a millisecond for 100 MB

} // namespace xcores::os
