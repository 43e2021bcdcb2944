// SPDX-License-Identifier: BSD-3-Clause
#include <array>
#include <vector>

#include <png.h>

#include <catch2/catch_approx.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include <support/report_builder.hpp>
#include <support/scenarios.hpp>
#include <xcores/model/downsample.hpp>
#include <xcores/model/json.hpp>
#include <xcores/render/activity.hpp>
#include <xcores/render/mime_bundle.hpp>
#include <xcores/render/png.hpp>
#include <xcores/render/svg_timeline.hpp>
#include <xcores/render/text.hpp>

namespace {

using namespace std::chrono_literals;
using namespace xcores;
using Catch::Approx;
using Catch::Matchers::ContainsSubstring;
using render::activity;

constexpr std::size_t largest = 200'000;

std::size_t occurrences(std::string_view text, std::string_view what) {
    std::size_t number = 0;
    for (std::size_t at = text.find(what); at != std::string_view::npos; at = text.find(what, at + 1))
        ++number;
    return number;
}

/// librsvg parses it, so it is well-formed; and it has a size.
void check_drawable(const std::string& svg) {
    CHECK(render::png(svg, {.scale = 0.25}).starts_with("\x89PNG\r\n"));
}

model::report short_run(model::nanoseconds length, std::size_t workers) {
    test::run_of run(model::worker_kind::procs);
    for (std::size_t i = 0; i < workers; ++i)
        run.worker(test::worker().ran(0ns, length).cpu(length).holding(length).returned());
    return run.sampled(1ms, 1us).report();
}

} // namespace

TEST_CASE("sixteen workers have sixteen lanes and a bounded picture") {
    const std::string svg = render::svg_timeline(test::many_workers(16));
    CHECK(svg.size() <= largest);
    CHECK(occurrences(svg, ">worker</text>") == 16);
    check_drawable(svg);
}

TEST_CASE("256 workers still give a bounded picture that can be drawn") {
    const std::string svg = render::svg_timeline(test::many_workers(256));
    CHECK(svg.size() <= largest);
    CHECK_THAT(svg, ContainsSubstring(">240</text>"));
    check_drawable(svg);
}

TEST_CASE("ten minutes with 120,000 hand-overs give a bounded picture") {
    const std::string svg = render::svg_timeline(test::ten_minutes());
    CHECK(svg.size() <= largest);
    CHECK_THAT(svg, ContainsSubstring("120,000 hand-overs"));
    CHECK_THAT(svg, ContainsSubstring(">10 min</text>"));
    check_drawable(svg);
}

TEST_CASE("runs of any length have an axis of three to ten labels") {
    for (const model::nanoseconds length :
         {model::nanoseconds{1us}, model::nanoseconds{1ms}, model::nanoseconds{17ms}, model::nanoseconds{999ms},
          model::nanoseconds{3s}, model::nanoseconds{199s}, model::nanoseconds{201s}, model::nanoseconds{10min},
          model::nanoseconds{24h}}) {
        const std::string svg = render::svg_timeline(short_run(length, 2));
        const std::size_t labels = occurrences(svg, " fill=\"#555E69\" text-anchor=\"middle\"");
        CAPTURE(length.count());
        CHECK(labels >= 3);
        CHECK(labels <= 10);
        check_drawable(svg);
    }
}

TEST_CASE("any number of workers can be drawn") {
    for (const std::size_t workers : {0U, 1U, 2U, 5U, 8U, 9U, 33U, 64U, 65U, 600U}) {
        const std::string svg = render::svg_timeline(short_run(1s, workers));
        CAPTURE(workers);
        CHECK(svg.size() <= largest);
        check_drawable(svg);
    }
}

TEST_CASE("the legend shows only the states that occur") {
    const std::string svg = render::svg_timeline(test::side_by_side());
    CHECK_THAT(svg, ContainsSubstring("running with its own GIL"));
    CHECK_THAT(svg, !ContainsSubstring("waiting for the GIL"));
    CHECK_THAT(svg, !ContainsSubstring(">unknown<"));
}

TEST_CASE("an import is a phase of its own where there was one that can be seen") {
    const auto imported = [](model::nanoseconds time) {
        const auto one = test::worker().imported(0ms, time).received(time, 20ms).ran(20ms, 1s).returned();
        return test::run_of(model::worker_kind::procs).worker(one).report();
    };
    for (const bool dark : {false, true}) {
        const std::string svg = render::svg_timeline(imported(10ms), {.dark = dark});
        CHECK_THAT(svg, ContainsSubstring(">import</text>") && ContainsSubstring("\"url(#imports)\""));
        check_drawable(svg);
    }
    CHECK_THAT(render::svg_timeline(imported(100us)), !ContainsSubstring(">import</text>"));
    CHECK_THAT(render::svg_timeline(test::side_by_side()), !ContainsSubstring(">import</text>"));
    CHECK_THAT(render::text(test::importing()),
               ContainsSubstring("  import  transfer") && ContainsSubstring("+ import   = transfer"));
    CHECK_THAT(render::text(test::side_by_side()), !ContainsSubstring("import"));
}

TEST_CASE("a GIL has a ribbon only when workers share it") {
    CHECK_THAT(render::svg_timeline(test::ping_pong()), ContainsSubstring("Who held the GIL of the main interpreter"));
    CHECK_THAT(render::svg_timeline(test::side_by_side()), !ContainsSubstring("Who held the GIL"));
}

TEST_CASE("the same report gives the same bytes") {
    CHECK(render::svg_timeline(test::ping_pong()) == render::svg_timeline(test::ping_pong()));
    CHECK(render::svg_timeline(test::ping_pong(), {.dark = true}) != render::svg_timeline(test::ping_pong()));
}

TEST_CASE("columns divide among the states in proportion to time") {
    const std::vector<render::stretch> stretches{{0ms, 1ms, 0}, {1ms, 4ms, 1}, {4ms, 10ms, 0}};
    const render::coverage shares(stretches, {0ms, 10ms}, 5, 2);
    CHECK(shares.share(0, 0) == Approx(0.5));
    CHECK(shares.share(0, 1) == Approx(0.5));
    CHECK(shares.share(1, 1) == Approx(1));
    CHECK(shares.share(4, 0) == Approx(1));
}

TEST_CASE("what two claim at the same time is left to neither") {
    const auto parts = render::undisputed({{0ms, 10ms, 1}, {4ms, 6ms, 2}, {9ms, 12ms, 3}});
    REQUIRE(parts.size() == 3);
    CHECK((parts[0].end == 4ms && parts[1].start == 6ms && parts[1].end == 9ms));
    CHECK((parts[2].start == 10ms && parts[2].end == 12ms && parts[2].category == 3));
}

TEST_CASE("a short event is never lost") {
    test::worker one;
    one.ran(0s, 600s).blocked(300s).holding(1ms).blocked(300s - 1ms);
    const auto report = test::run_of(model::worker_kind::threads).worker(one.returned()).sampled(1ms, 1ms).report();
    CHECK_THAT(render::svg_timeline(report), ContainsSubstring("<path fill=\"#0072B2\""));
}

TEST_CASE("what no sample covers is drawn as unknown, the sampler's resolution is not") {
    const auto worker =
        test::worker().ran(0ms, 100ms).holding(48ms).not_sampled(2ms).holding(10ms).not_sampled(30ms).holding(9ms);
    const auto report = test::run_of(model::worker_kind::threads).worker(worker).sampled(1ms, 1ms).report();
    const auto stretches = render::activities_of(report, report.workers[0]);
    REQUIRE(stretches.size() == 3);
    CHECK(stretches[0].end == 60ms);
    CHECK(stretches[1].category == static_cast<std::size_t>(activity::unknown));
    CHECK(stretches[2].end == 100ms);
}

TEST_CASE("a boundary between two long stretches is sharp") {
    render::coverage shares({{0ms, 33ms, 0}, {33ms, 100ms, 1}}, {0ms, 100ms}, 10, 2);
    shares.sharpen();
    CHECK(shares.share(3, 0) + shares.share(3, 1) == Approx(1));
    CHECK(shares.share(3, 1) == Approx(1));
}

TEST_CASE("a picture that is no SVG is refused with librsvg's words") {
    CHECK_THROWS_WITH(render::png("<svg"), ContainsSubstring("librsvg: "));
    CHECK_THROWS_AS(render::png(""), std::runtime_error);
}

TEST_CASE("the picture's bundle has the PNG, the text and half the pixels as its size") {
    const nlohmann::json bundle = render::picture_bundle(test::side_by_side());
    CHECK(bundle.at("image/png").get<std::string>().starts_with("iVBORw0KGgo"));
    CHECK(bundle.at("text/plain") == render::text_timeline(test::side_by_side()));
    const nlohmann::json metadata = render::picture_metadata(bundle);
    CHECK(metadata.at("image/png").at("width") == 900);
    CHECK(metadata.at("image/png").at("height") > 200);
}

TEST_CASE("a busy picture in a notebook has fewer columns, not fewer pixels") {
    const auto run = test::many_workers(8);
    const auto header = render::base64(render::png(render::svg_timeline(run)).substr(0, 24)); // with width and height
    CHECK(render::picture_bundle(run).at("image/png").get<std::string>().starts_with(header));
}

TEST_CASE("the colours of plain areas stay as they are, however near to each other") {
    std::string svg = "<svg xmlns='http://www.w3.org/2000/svg' width='64' height='64'>";
    for (int shade = 0; shade < 60; ++shade) // many more than there are, each larger than the two
        svg += "<rect y='" + std::to_string(shade) + "' width='64' height='1' fill='rgb(" + std::to_string(4 * shade) +
               ",0,99)'/>";
    svg += "<rect y='60' width='32' height='1' fill='#FDFDFB'/><rect x='32' y='60' width='32' height='1' "
           "fill='#F6F7F8'/></svg>";
    const std::string file = render::png(svg, {.scale = 1});
    png_image image{};
    image.version = PNG_IMAGE_VERSION;
    REQUIRE(png_image_begin_read_from_memory(&image, file.data(), file.size()) != 0);
    image.format = PNG_FORMAT_RGB;
    std::vector<png_byte> pixels(PNG_IMAGE_SIZE(image));
    REQUIRE(png_image_finish_read(&image, nullptr, pixels.data(), 0, nullptr) != 0);
    const auto colour_at = [&](std::size_t x, std::size_t y) {
        const auto* at = &pixels[3 * (64 * y + x)];
        return std::array<int, 3>{at[0], at[1], at[2]};
    };
    CHECK(colour_at(5, 60) == std::array{0xFD, 0xFD, 0xFB});
    CHECK(colour_at(40, 60) == std::array{0xF6, 0xF7, 0xF8});
    CHECK(colour_at(5, 3) == std::array{12, 0, 99});
}

TEST_CASE("what a notebook keeps of a run stays under 200 KB, and the figures in it say if samples are missing") {
    const auto saved = [](const model::report& run) {
        return nlohmann::json{render::table_bundle(run), render::picture_bundle(run)};
    };
    for (const model::report& run : {test::side_by_side(), test::many_workers(8), test::many_workers(64),
                                     test::many_workers(256), test::ten_minutes(), short_run(10s, 256)}) {
        const nlohmann::json outputs = saved(run);
        CAPTURE(run.workers.size(), outputs.dump().size());
        CHECK(outputs.dump(1).size() < largest);
        if (const auto figures = outputs[1].find("application/vnd.xcores.run+json"); figures != outputs[1].end()) {
            const model::report read = model::report_from_json(*figures);
            CHECK(model::number_of_spans(read) <= model::number_of_spans(run));
            CHECK((read == run || read.downsampled_from));
        }
    }
    CHECK(saved(test::ten_minutes())[1].contains("application/vnd.xcores.run+json"));
    CHECK(saved(test::many_workers(8))[1].contains("application/vnd.xcores.run+json"));
}

TEST_CASE("the table's bundle can be written as JSON whatever a user put into it") {
    const nlohmann::json bundle = render::table_bundle(test::hostile_strings());
    CHECK_NOTHROW(bundle.dump());
    CHECK_THAT(bundle.at("text/html").get<std::string>(), !ContainsSubstring("<script"));
}

TEST_CASE("base64 is that of RFC 4648") {
    CHECK(render::base64("").empty());
    CHECK(render::base64("f") == "Zg==");
    CHECK(render::base64("fo") == "Zm8=");
    CHECK(render::base64("foo") == "Zm9v");
    CHECK(render::base64("foobar") == "Zm9vYmFy");
    CHECK(render::base64("\xFF\xFE\xFD") == "//79");
}

TEST_CASE("where a run was sampled although it could be recorded, the picture says so, and counts words are singular") {
    auto report = test::recorded();
    report.sampling->recorded = model::recorded_events{.switches = 1, .acquisitions = 1, .sampled = 150ms};
    const auto picture = render::svg_timeline(report);
    CHECK_THAT(picture, ContainsSubstring("Recorded: 1 context switch, 1 GIL acquisition, at a cost of"));
    CHECK_THAT(picture, ContainsSubstring("; sampled instead for 25 % of the time."));
}
