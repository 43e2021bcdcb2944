// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/render/svg_canvas.hpp>

#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>

#include <xcores/render/escape.hpp>

namespace xcores::render {

namespace {

// Okabe and Ito's palette, told apart by people with any of the common forms of colour blindness. The patterns are in
// `definitions`; lightness, height and pattern each tell the states apart without any colour.
constexpr std::array<std::string_view, activities> fills{"#0072B2",     "url(#free)", "url(#unclear)", "#009E73",
                                                         "url(#queue)", "#E69F00",    "#8A929C",       "url(#unknown)"};

constexpr theme light{
    .card = "#FDFDFB",
    .edge = "#C5CAD1",
    .ground = "#F0F2F4",
    .grid = "#D9DDE2",
    .ink = "#1B1F24",
    .faint_ink = "#555E69",
    .startup = "url(#startup)",
    .imports = "url(#imports)",
    .fills = fills,
    .workers = {{{"#33475B", "#FFFFFF"}, {"#A9BED2", "#1B1F24"}, {"#5F7387", "#FFFFFF"}, {"#D3DEE8", "#1B1F24"}}},
    .cores = {{{"#DDE2E7", "#3B444E"}, {"#B9C2CB", "#252B32"}}}};

constexpr theme dark{
    .card = "#1E2227",
    .edge = "#4A525C",
    .ground = "#2A2F36",
    .grid = "#3F4650",
    .ink = "#F1F3F5",
    .faint_ink = "#B4BCC6",
    .startup = "url(#startup)",
    .imports = "url(#imports)",
    .fills = fills,
    .workers = {{{"#C3D0DC", "#1B1F24"}, {"#5C7187", "#FFFFFF"}, {"#93A7BA", "#1B1F24"}, {"#41566B", "#FFFFFF"}}},
    .cores = {{{"#4A525C", "#F1F3F5"}, {"#68727E", "#FFFFFF"}}}};

std::string definitions(const theme& colours) {
    const std::string ground(colours.ground);
    const auto pattern = [](std::string_view id, int side, const std::string& content, std::string_view more = "") {
        const std::string length = std::to_string(side);
        return "<pattern id=\"" + std::string(id) + "\" width=\"" + length + "\" height=\"" + length +
               "\" patternUnits=\"userSpaceOnUse\"" + std::string(more) + ">" + content + "</pattern>\n";
    };
    const auto tile = [](int side, std::string_view fill) {
        const std::string length = std::to_string(side);
        return "<rect width=\"" + length + "\" height=\"" + length + "\" fill=\"" + std::string(fill) + "\"/>";
    };
    const std::string turned = " patternTransform=\"rotate(45)\"";
    return "<defs>\n" +
           pattern("free", 6, tile(6, "#56B4E9") + "<rect width=\"1.6\" height=\"6\" fill=\"#E9F6FF\"/>", turned) +
           pattern("unclear", 5, tile(5, "#0072B2") + "<circle cx=\"2.5\" cy=\"2.5\" r=\"1\" fill=\"#E9F6FF\"/>") +
           pattern("queue", 4, tile(4, "#CC79A7") + "<circle cx=\"2\" cy=\"2\" r=\"0.9\" fill=\"#7A2E58\"/>") +
           pattern("unknown", 5,
                   "<circle cx=\"2.5\" cy=\"2.5\" r=\"1\" fill=\"" + std::string(colours.faint_ink) + "\"/>") +
           pattern("startup", 6, tile(6, ground) + "<rect width=\"1\" height=\"6\" fill=\"#9AA3AD\"/>",
                   " patternTransform=\"rotate(-45)\"") +
           pattern("imports", 5, tile(5, "#F0E442") + "<rect width=\"5\" height=\"1.2\" fill=\"#8F8300\"/>") +
           "</defs>\n";
}

// Widths of DejaVu Sans from the space to the tilde, in hundredths of the size. Measured here, because a renderer must
// not ask the machine for its fonts.
constexpr std::array<std::uint8_t, 95> regular_widths{
    32, 40, 46, 84, 64, 95, 78, 27, 39,  39, 50, 84, 32, 36, 32, 34, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 34, 34, 84, 84, 84, 53, 100, 68, 69, 70, 77, 63, 58, 77, 75, 29, 29, 66, 56, 86, 75, 79,
    60, 79, 69, 63, 61, 73, 68, 99, 69,  61, 69, 39, 34, 39, 84, 50, 50, 61, 63, 55, 63, 62, 35, 63,
    63, 28, 28, 58, 28, 97, 63, 61, 63,  63, 41, 52, 39, 63, 59, 82, 59, 59, 52, 64, 34, 64, 84};
constexpr std::array<std::uint8_t, 95> bold_widths{
    35, 46, 52, 84, 70, 100, 87, 31,  46,  46, 52, 84, 38, 42, 38, 37, 70, 70, 70, 70, 70, 70,  70, 70,
    70, 70, 40, 40, 84, 84,  84, 58,  100, 77, 76, 73, 83, 68, 68, 82, 84, 37, 37, 77, 64, 100, 84, 85,
    73, 85, 77, 72, 68, 81,  77, 110, 77,  72, 73, 46, 37, 46, 84, 50, 50, 67, 72, 59, 72, 68,  44, 72,
    71, 34, 34, 67, 34, 104, 71, 69,  72,  72, 49, 60, 48, 71, 65, 92, 65, 65, 58, 71, 37, 71,  84};
constexpr int other_width = 70;

} // namespace

const theme& theme_of(const style& wanted) {
    return wanted.dark ? dark : light;
}

std::string number(double value) {
    const auto hundredths = std::llround(value * 100);
    const auto size = std::abs(hundredths);
    std::array<char, 24> buffer{};
    char* end = buffer.data();
    const auto digit = [&end](long long one) { *end++ = static_cast<char>('0' + one); };
    if (hundredths < 0)
        *end++ = '-';
    if (size >= 100)
        end = std::to_chars(end, buffer.data() + buffer.size(), size / 100).ptr;
    if (size % 100 != 0) {
        *end++ = '.';
        digit(size % 100 / 10);
    }
    if (size % 10 != 0)
        digit(size % 10);
    if (size == 0)
        digit(0);
    return {buffer.data(), end};
}

double width_of_text(std::string_view text, double size, bool bold) {
    const auto& widths = bold ? bold_widths : regular_widths;
    int sum = 0;
    std::string other;
    for (const char c : text) {
        if (c >= ' ' && c <= '~')
            sum += widths[static_cast<std::size_t>(c - ' ')];
        else
            other += c;
    }
    sum += other_width * static_cast<int>(width_of(other));
    return sum * size / 100;
}

std::vector<std::string> wrapped(std::string_view text, double width, double size, bool bold) {
    std::vector<std::string> lines;
    std::string line;
    while (!text.empty()) {
        std::size_t space = text.find(' ');
        if (space != std::string_view::npos && space > 0 && text[space - 1] >= '0' && text[space - 1] <= '9')
            space = text.find(' ', space + 1);
        const std::string word = clipped(text.substr(0, space), static_cast<std::size_t>(width / size));
        text.remove_prefix(space == std::string_view::npos ? text.size() : space + 1);
        const std::string longer = line.empty() ? word : line + " " + word;
        if (width_of_text(longer, size, bold) > width && !line.empty()) {
            // Between two clauses, if that leaves a line that is more than half full.
            const std::size_t clause = line.rfind("; ");
            const bool long_enough =
                clause != std::string::npos && width_of_text(line.substr(0, clause), size, bold) > width / 2;
            const std::string rest = long_enough ? line.substr(clause + 2) + " " : "";
            lines.push_back(long_enough ? line.substr(0, clause + 1) : line);
            line = rest + word;
        } else {
            line = longer;
        }
    }
    if (!line.empty())
        lines.push_back(line);
    return lines;
}

void canvas::box(double x, double y, double width, double height, std::string_view fill, std::string_view more) {
    body_ += "<rect x=\"" + number(x) + "\" y=\"" + number(y) + "\" width=\"" + number(width) + "\" height=\"" +
             number(height) + "\" fill=\"" + std::string(fill) + "\"" + (more.empty() ? "" : " " + std::string(more)) +
             "/>\n";
}

void canvas::path(std::string_view data, std::string_view fill) {
    if (!data.empty())
        body_ += "<path fill=\"" + std::string(fill) + "\" d=\"" + std::string(data) + "\"/>\n";
}

void canvas::lines(std::string_view data, std::string_view stroke, double width) {
    body_ += "<path fill=\"none\" stroke=\"" + std::string(stroke) + "\" stroke-width=\"" + number(width) + "\" d=\"" +
             std::string(data) + "\"/>\n";
}

void canvas::text(double x, double y, std::string_view content, const lettering& letters) {
    constexpr std::array<std::string_view, 3> anchors{"", " text-anchor=\"middle\"", " text-anchor=\"end\""};
    body_ += "<text x=\"" + number(x) + "\" y=\"" + number(y) + "\" font-size=\"" + number(letters.size) +
             "\" fill=\"" + std::string(letters.fill) + "\"" +
             std::string(anchors[static_cast<std::size_t>(letters.at)]) +
             (letters.bold ? " font-weight=\"bold\"" : "") + ">" + escaped(content) + "</text>\n";
}

void canvas::hover(double x, double y, double width, double height, std::string_view words) {
    body_ += "<rect x=\"" + number(x) + "\" y=\"" + number(y) + "\" width=\"" + number(width) + "\" height=\"" +
             number(height) + "\" fill=\"none\" pointer-events=\"all\"><title>" + escaped(words) + "</title></rect>\n";
}

std::string canvas::finish(double height, std::string_view title, std::string_view description) const {
    const std::string size = "width=\"900\" height=\"" + number(height) + "\"";
    return "<svg xmlns=\"http://www.w3.org/2000/svg\" " + size + " viewBox=\"0 0 900 " + number(height) +
           "\" role=\"img\" font-family=\"DejaVu Sans, sans-serif\">\n<title>" + escaped(title) + "</title>\n<desc>" +
           escaped(description) + "</desc>\n" + definitions(colours_) +
           "<rect x=\"0.5\" y=\"0.5\" width=\"899\" height=\"" + number(height - 1) + "\" rx=\"10\" fill=\"" +
           std::string(colours_.card) + "\" stroke=\"" + std::string(colours_.edge) + "\"/>\n" + body_ + "</svg>\n";
}

} // namespace xcores::render
