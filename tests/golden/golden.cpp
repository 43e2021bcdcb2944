// SPDX-License-Identifier: BSD-3-Clause
#include "golden.hpp"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string_view>

#include <catch2/catch_test_macros.hpp>

namespace xcores::golden {

std::filesystem::path folder() {
    return XCORES_GOLDEN_DIR;
}

namespace {

bool approving() {
    const char* value = std::getenv("XCORES_APPROVE");
    return value && std::string_view(value) == "1";
}

void write(const std::filesystem::path& file, const std::string& content) {
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << content;
}

} // namespace

std::string content_of(const std::filesystem::path& file) {
    std::ifstream stream(file, std::ios::binary);
    REQUIRE(stream);
    return {std::istreambuf_iterator<char>(stream), {}};
}

std::string pretty(const nlohmann::json& value, const std::string& indent) {
    const bool nested = value.is_object() || (value.is_array() && !value.empty() && value.front().is_object());
    if (!nested || value.empty())
        return value.dump();
    const std::string deeper = indent + " ";
    std::string text;
    for (const auto& [key, item] : value.items())
        text += (text.empty() ? "\n" : ",\n") + deeper +
                (value.is_object() ? nlohmann::json(key).dump() + ": " : std::string()) + pretty(item, deeper);
    return (value.is_object() ? "{" : "[") + text + "\n" + indent + (value.is_object() ? "}" : "]");
}

void compare(const std::filesystem::path& file, const std::string& actual) {
    constexpr std::ptrdiff_t most_lines = 200;
    CAPTURE(file.filename().string());
    CHECK(std::ranges::count(actual, '\n') < most_lines);
    if (approving())
        write(file, actual);
    CHECK(content_of(file) == actual);
}

} // namespace xcores::golden
