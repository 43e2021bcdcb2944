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

} // namespace xcores::os
