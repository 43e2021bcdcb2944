// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/render/mime_bundle.hpp>

#include <algorithm>
#include <array>
#include <cstdint>

#include <xcores/model/downsample.hpp>
#include <xcores/model/json.hpp>
#include <xcores/render/compare_chart.hpp>
#include <xcores/render/compare_table.hpp>
#include <xcores/render/html_table.hpp>
#include <xcores/render/live.hpp>
#include <xcores/render/png.hpp>
#include <xcores/render/svg_stack.hpp>
#include <xcores/render/svg_timeline.hpp>
#include <xcores/render/text.hpp>

namespace xcores::render {

namespace {

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

constexpr std::size_t largest_output = 195'000;
constexpr std::size_t largest_picture = 150'000;
constexpr std::size_t least_for_figures = 15'000;

/// In base64, within this size. A run so busy that it would not be small gets wider columns, and its letters stay
/// sharp; only where that is not enough, as with hundreds of workers, the picture has fewer pixels.
template <class Draw>
std::string encoded_picture(Draw svg_within, std::size_t most = largest_picture) {
    struct attempt {
        std::size_t largest_svg;
        double scale;
    };
    constexpr std::size_t surely_small = 60'000;
    std::string encoded;
    for (const auto [largest_svg, scale] :
         {attempt{200'000, 2}, attempt{90'000, 2}, attempt{45'000, 2}, attempt{45'000, 1.5}, attempt{45'000, 1}}) {
        const std::string svg = svg_within(style{.largest = largest_svg});
        const bool is_busy = !encoded.empty() || svg.size() > surely_small;
        encoded = base64(png(svg, {.scale = scale, .packing = is_busy ? packing::tight : packing::fast}));
        if (encoded.size() <= most)
            break;
    }
    return encoded;
}

/// Notebook files are indented: an entry of a list takes a line.
std::size_t size_in_notebook(const nlohmann::json& document) {
    constexpr std::size_t depth_of_outputs = 7;
    const std::string text = document.dump(1, ' ', false, nlohmann::json::error_handler_t::replace);
    return text.size() + depth_of_outputs * static_cast<std::size_t>(std::ranges::count(text, '\n'));
}

/// The figures of the run within this size; null when there is no room.
nlohmann::json figures_within(std::size_t room, const model::report& from) {
    constexpr std::size_t least_per_span = 60;
    constexpr std::array<std::size_t, 9> windows{1408, 704, 352, 176, 88, 44, 22, 11, 0};
    if (model::number_of_spans(from) * least_per_span < room)
        if (nlohmann::json all = model::to_json(from); size_in_notebook(all) < room)
            return all;
    for (const std::size_t number : windows) {
        const model::report few = model::downsampled(from, number);
        if (model::number_of_spans(few) * least_per_span >= room)
            continue;
        if (nlohmann::json all = model::to_json(few); size_in_notebook(all) < room)
            return all;
    }
    return nullptr;
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
    nlohmann::json bundle{{"text/plain", text_timeline(from)}};
    const std::size_t words = size_in_notebook(bundle) + size_in_notebook(table_bundle(from)) + least_for_figures;
    const std::size_t room = largest_output - std::min(words, largest_output);
    bundle["image/png"] = encoded_picture([&](const style& wanted) { return svg_timeline(from, wanted); },
                                          std::min(room, largest_picture));
    const std::size_t used = bundle["image/png"].get_ref<const std::string&>().size() + words - least_for_figures;
    nlohmann::json figures = figures_within(largest_output - std::min(used, largest_output), from);
    if (!figures.is_null())
        bundle["application/vnd.xcores.run+json"] = std::move(figures);
    return bundle;
}

nlohmann::json table_bundle(const model::comparison& from) {
    return {{"text/html", html_table(from)}, {"text/plain", text_table(from)}};
}

nlohmann::json picture_bundle(const model::comparison& from) {
    return {{"image/png", encoded_picture([&](const style& wanted) { return svg_chart(from, wanted); })},
            {"text/plain", model::recommendation_for(from).sentence + "\n"},
            {"application/vnd.xcores.comparison+json", model::to_json(from)}};
}

nlohmann::json table_bundle(const named_run& first, const named_run& second) {
    return {{"text/html", html_pair(first, second)}, {"text/plain", text_pair(first, second)}};
}

nlohmann::json picture_bundle(const named_run& first, const named_run& second) {
    return {{"image/png", encoded_picture([&](const style& wanted) { return svg_pair(first, second, wanted); })},
            {"text/plain", text_timeline(first.run) + "\n" + text_timeline(second.run)}};
}

std::pair<nlohmann::json, nlohmann::json> with_metadata(nlohmann::json bundle, const std::string& alt) {
    nlohmann::json metadata = picture_metadata(bundle);
    metadata["image/png"]["alt"] = alt;
    return {std::move(bundle), std::move(metadata)};
}

nlohmann::json picture_metadata(const nlohmann::json& bundle) {
    const auto& encoded = bundle.at("image/png").get_ref<const std::string&>();
    if (encoded.size() < header_in_base64 + 4)
        return nlohmann::json::object();
    const std::uint32_t width = std::max(word_at(encoded, size_offset), 1U);
    const std::uint32_t height = word_at(encoded, size_offset + 4);
    const auto units = static_cast<std::uint32_t>(picture_width);
    return {{"image/png", {{"width", units}, {"height", (height * units + width / 2) / width}}}};
}

nlohmann::json live_bundle(const model::report& from) {
    return {{"text/html", live_html(from)}, {"text/plain", live_text(from)}};
}

} // namespace xcores::render
