// SPDX-License-Identifier: BSD-3-Clause
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include <support/comparisons.hpp>
#include <support/scenarios.hpp>
#include <xcores/render/compare_chart.hpp>
#include <xcores/render/compare_table.hpp>
#include <xcores/render/mime_bundle.hpp>
#include <xcores/render/png.hpp>
#include <xcores/render/run_pair.hpp>

#include "golden.hpp"

namespace {

using namespace std::chrono_literals;
using namespace xcores;
using Catch::Matchers::ContainsSubstring;

void check(const std::string& name, const model::comparison& scenario) {
    const auto file = golden::folder() / "reports" / (name + ".json");
    golden::compare(file, golden::pretty(model::to_json(scenario)) + "\n");
    const auto read = model::comparison_from_json(nlohmann::json::parse(golden::content_of(file)));
    golden::compare(golden::folder() / "approved" / (name + ".txt"), render::text_table(read));
    golden::compare(golden::folder() / "approved" / (name + ".html"), render::html_table(read));
    golden::compare(golden::folder() / "approved" / (name + ".svg"), render::svg_chart(read));
}

} // namespace

TEST_CASE("a comparison of CPU-bound work looks as approved") {
    check("compare_cpu_bound", test::cpu_bound());
}

TEST_CASE("a comparison of waiting looks as approved") {
    check("compare_waiting", test::waiting());
}

TEST_CASE("a comparison of work with much data looks as approved") {
    check("compare_data_heavy", test::data_heavy());
}

TEST_CASE("a comparison on a busy machine looks as approved") {
    check("compare_busy", test::on_a_busy_machine());
}

TEST_CASE("a comparison with a hostile failure and different results looks as approved") {
    check("compare_failures", test::with_failures());
}

TEST_CASE("an interrupted comparison looks as approved") {
    check("compare_interrupted", test::interrupted());
}

TEST_CASE("a comparison of nothing is still a table and a chart") {
    check("compare_nothing", model::comparison{});
}

TEST_CASE("a comparison up to 64 workers is drawn in powers of two") {
    const std::string svg = render::svg_chart(test::sixty_four_workers());
    CHECK_THAT(svg, ContainsSubstring(">64</text>") && ContainsSubstring(">ideal</text>"));
    CHECK(render::png(svg, {.scale = 0.25}).starts_with("\x89PNG\r\n"));
}

TEST_CASE("two runs beside each other look as approved") {
    const model::report first = test::ping_pong();
    const model::report second = test::side_by_side();
    const render::named_run a{"threads 2 </text><script>", first};
    const render::named_run b{"subinterp 2", second};
    golden::compare(golden::folder() / "approved/pair.txt", render::text_pair(a, b));
    golden::compare(golden::folder() / "approved/pair.html", render::html_pair(a, b));
    golden::compare(golden::folder() / "approved/pair.svg", render::svg_pair(a, b));
}

TEST_CASE("a run in which a worker failed is neither faster nor slower than another") {
    const model::report good = test::side_by_side();
    model::report bad = good;
    bad.elapsed /= 10;
    CHECK_THAT(render::caption_of({"good", good}, {"bad", bad}), ContainsSubstring(": 10.00 times as fast."));
    CHECK_THAT(render::caption_of({"bad", bad}, {"good", good}), ContainsSubstring(": 10.00 times as long."));
    bad.workers[0].how.kind = model::outcome_kind::raised;
    CHECK_THAT(render::caption_of({"good", good}, {"bad", bad}),
               ContainsSubstring("; not every worker returned, so the times do not compare."));
}

TEST_CASE("two runs tell the longest import of each where there was one") {
    const model::report warm = test::side_by_side();
    const model::report cold = test::importing();
    CHECK_THAT(render::text_pair({"cold", cold}, {"warm", warm}),
               ContainsSubstring("longest import          165 ms        –"));
    CHECK_THAT(render::text_pair({"a", warm}, {"b", warm}), !ContainsSubstring("import"));
}

TEST_CASE("a comparison has a column for imports where there were some") {
    model::comparison all = test::cpu_bound();
    CHECK_THAT(render::text_table(all), !ContainsSubstring("import"));
    all.configurations.back().imports = 150ms;
    CHECK_THAT(render::text_table(all), ContainsSubstring("start-up  import") && ContainsSubstring("150 ms"));
}

TEST_CASE("two runs with nobody in them are still drawn") {
    const model::report nobody = test::nobody();
    const render::named_run a{"a", nobody};
    CHECK(render::png(render::svg_pair(a, a), {.scale = 0.25}).starts_with("\x89PNG\r\n"));
    CHECK_THAT(render::text_pair(a, a), ContainsSubstring("0 of 0"));
}

TEST_CASE("the bundle of a comparison has picture, sentence and figures") {
    const auto bundle = render::picture_bundle(test::waiting());
    CHECK(bundle.at("application/vnd.xcores.comparison+json").at("recommendation").at("why") == "waiting");
    CHECK(bundle.at("text/plain").get<std::string>().starts_with("Use %%threads 4"));
    CHECK(render::picture_metadata(bundle).at("image/png").at("width") == 900);
}
