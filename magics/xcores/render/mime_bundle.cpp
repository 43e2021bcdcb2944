// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/render/mime_bundle.hpp>

#include <cstdint>

#include <xcores/render/compare_chart.hpp>
#include <xcores/render/compare_table.hpp>
#include <xcores/render/html_table.hpp>
#include <xcores/render/live.hpp>
#include <xcores/render/png.hpp>
#include <xcores/render/svg_timeline.hpp>
#include <xcores/render/text.hpp>

namespace xcores::render {

namespace {

constexpr int pixels_per_unit = 2;
constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// A PNG begins with 16 bytes of signature and chunk header, then width and height, both in four bytes, largest first.
constexpr std::size_t size_offset = 16;
constexpr std::size_t header_in_base64 = 32;

std::uint32_t byte_at(std::string_view encoded, std::size_t index) {
    const std::size_t bit = index * 8;
    std::uint32_t window = 0;
    for (std::size_t i = 0; i < 3; ++i)
        window = (window << 6U) | static_cast<std::uint32_t>(digits.find(encoded[bit / 6 + i]));
    return (window >> (10U - static_cast<unsigned>(bit % 6))) & 0xFFU;
}

std::uint32_t word_at(std::string_view encoded, std::size_t index) {
    std::uint32_t word = 0;
    for (std::size_t i = 0; i < 4; ++i)
        word = (word << 8U) | byte_at(encoded, index + i);
    return word;
}

} // namespace

std::string base64(std::string_view bytes) {
    std::string result;
    result.reserve((bytes.size() + 2) / 3 * 4);
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        std::uint32_t group = 0;
        for (std::size_t k = 0; k < 3; ++k)
            group = (group << 8U) | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0U);
        for (std::size_t k = 0; k < 4; ++k)
            result += i + k <= bytes.size() ? digits[(group >> (18U - 6U * static_cast<unsigned>(k))) & 63U] : '=';
    }
    return result;
}

nlohmann::json table_bundle(const model::report& from) {
    return {{"text/html", html_table(from)}, {"text/plain", text_table(from)}};
}

nlohmann::json picture_bundle(const model::report& from) {
    return {{"image/png", base64(png(svg_timeline(from), pixels_per_unit))}, {"text/plain", text_timeline(from)}};
}

nlohmann::json table_bundle(const model::comparison& from) {
    return {{"text/html", html_table(from)}, {"text/plain", text_table(from)}};
}

nlohmann::json picture_bundle(const model::comparison& from) {
    return {{"image/png", base64(png(svg_chart(from), pixels_per_unit))},
            {"text/plain", model::recommendation_for(from).sentence + "\n"},
            {"application/vnd.xcores.comparison+json", model::to_json(from)}};
}

nlohmann::json picture_metadata(const nlohmann::json& bundle) {
    const auto& encoded = bundle.at("image/png").get_ref<const std::string&>();
    if (encoded.size() < header_in_base64 + 4)
        return nlohmann::json::object();
    return {{"image/png",
             {{"width", word_at(encoded, size_offset) / pixels_per_unit},
              {"height", word_at(encoded, size_offset + 4) / pixels_per_unit}}}};
}

nlohmann::json live_bundle(const model::report& from) {
    return {{"text/html", live_html(from)}, {"text/plain", live_text(from)}};
}

} // namespace xcores::render
