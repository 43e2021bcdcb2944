// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <filesystem>
#include <string>

#include <nlohmann/json.hpp>

/// Approved files: what a renderer says now against what somebody has looked at.
namespace xcores::golden {

/// Holds reports/ and approved/.
std::filesystem::path folder();

std::string content_of(const std::filesystem::path&);

/// Objects over several lines, arrays in one: a report of 80 samples is then read as easily as one of two.
std::string pretty(const nlohmann::json&, const std::string& indent = "");

/// Checks that the file holds this, and that it is short enough to be read; rewrites it with XCORES_APPROVE=1.
void compare(const std::filesystem::path& file, const std::string& actual);

} // namespace xcores::golden
