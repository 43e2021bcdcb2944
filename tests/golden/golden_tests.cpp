// SPDX-License-Identifier: BSD-3-Clause
#include <catch2/catch_test_macros.hpp>

#include <clocale>
#include <locale>

#include <support/scenarios.hpp>
#include <xcores/model/json.hpp>
#include <xcores/render/html_table.hpp>
#include <xcores/render/svg_timeline.hpp>
#include <xcores/render/text.hpp>

#include "golden.hpp"

namespace {

using namespace xcores;

using namespace golden;

void check_renderings(const std::string& name, const model::report& report) {
    compare(folder() / "approved" / (name + ".txt"), render::text(report));
    compare(folder() / "approved" / (name + ".html"), render::html_table(report));
    compare(folder() / "approved" / (name + ".svg"), render::svg_timeline(report));
}

void check(const std::string& name, const model::report& scenario) {
    const auto file = folder() / "reports" / (name + ".json");
    compare(file, pretty(model::to_json(scenario)) + "\n");
    check_renderings(name, model::report_from_json(nlohmann::json::parse(content_of(file))));
}

struct comma_and_dots : std::numpunct<char> {
    char do_decimal_point() const override { return ','; }
    char do_thousands_sep() const override { return '.'; }
    std::string do_grouping() const override { return "\3"; }
};

} // namespace

TEST_CASE("two threads that hand the GIL over look as approved") {
    check("ping_pong", test::ping_pong());
}

TEST_CASE("two interpreters side by side look as approved") {
    check("side_by_side", test::side_by_side());
}

TEST_CASE("a crashed process looks as approved") {
    check("crashed_process", test::crashed_process());
}

TEST_CASE("a run that waits for I/O looks as approved") {
    check("reading_and_waiting", test::reading_and_waiting());
}

TEST_CASE("one worker of four that raised looks as approved") {
    check("one_of_four_raised", test::one_of_four_raised());
}

TEST_CASE("a recorded run looks as approved") {
    check("recorded", test::recorded());
}

TEST_CASE("a worker that imports modules looks as approved") {
    check("importing", test::importing());
}

TEST_CASE("a mapped cell looks as approved") {
    check("mapped", test::mapped());
}

TEST_CASE("a cell that ran three times looks as approved") {
    check("repeated", test::repeated());
}

TEST_CASE("hostile strings look as approved") {
    check("hostile_strings", test::hostile_strings());
}

TEST_CASE("no workers look as approved") {
    check("nobody", test::nobody());
}

TEST_CASE("a run of which nothing is known looks as approved") {
    check("all_unknown", test::all_unknown());
}

TEST_CASE("one sample looks as approved") {
    check("one_sample", test::one_sample());
}

TEST_CASE("threads and a process under an ordinary cell look as approved") {
    check("any_cell", test::any_cell());
}

TEST_CASE("a locale with decimal commas changes nothing") {
    const std::locale before = std::locale::global(std::locale(std::locale::classic(), new comma_and_dots));
    const std::string c_before = std::setlocale(LC_ALL, nullptr);
    // The facet above is always there; the C library's locale where the machine has one.
    for (const char* name : {"de_DE.UTF-8", "fr_FR.UTF-8", "pl_PL.UTF-8"})
        if (std::setlocale(LC_ALL, name))
            break;
    check_renderings("one_of_four_raised", test::one_of_four_raised());
    std::locale::global(before);
    std::setlocale(LC_ALL, c_before.c_str());
}
