// SPDX-License-Identifier: BSD-3-Clause
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>

#include <limits>

#include <support/report_builder.hpp>
#include <support/scenarios.hpp>
#include <xcores/model/json.hpp>

namespace {

using namespace std::chrono_literals;
using namespace xcores;

template <class Change>
auto reading_after(Change change) {
    nlohmann::json document = model::to_json(test::side_by_side());
    change(document);
    return [document] { return model::report_from_json(document); };
}

auto says(const std::string& text) {
    return Catch::Matchers::Message(text);
}

} // namespace

TEST_CASE("every scenario comes back from JSON as it was") {
    for (const test::scenario& one : test::scenarios()) {
        CAPTURE(one.name);
        CHECK(model::report_from_json(nlohmann::json::parse(model::to_json(one.report).dump())) == one.report);
    }
}

TEST_CASE("a report with every field set comes back from JSON as it was") {
    model::report report = test::crashed_process();
    report.environment.switch_interval = 5ms;
    report.environment.gil_disabled = true;
    report.workers[0].how = {model::outcome_kind::exited, "SystemExit", "3", "line\nline\n", 3, true};
    report.workers[0].queue_wait = 1ns;
    report.workers[0].process_id = std::numeric_limits<std::int64_t>::max();
    report.workers[0].memory_bytes = -1;
    report.workers[0].proportional_bytes = 2;
    report.workers[0].unique_bytes = 1;
    report.workers[0].bytes_in = {3, 4};
    report.workers[0].bytes_out = {5, 0};
    report.workers[0].imports = {3ns, 4ns};
    report.workers[0].spans = {{5ns, 9ns, model::thread_state::unknown, model::gil_state::unknown, -1},
                               {7ns, 8ns, model::thread_state::blocked, model::gil_state::held, 191}};
    CHECK(model::report_from_json(model::to_json(report)) == report);
}

TEST_CASE("what is unknown is null in JSON") {
    const nlohmann::json document =
        model::to_json(test::run_of(model::worker_kind::procs).worker(test::worker()).report());
    CHECK(document["workers"][0]["run_ns"].is_null());
    CHECK(document["workers"][0]["process_id"].is_null());
    CHECK(document["workers"][0]["memory_bytes"].is_null());
    CHECK(document["workers"][0]["memory_shares"].is_null());
    CHECK(document["workers"][0]["bytes_in"].is_null());
    CHECK(document["sampling"].is_null());
}

TEST_CASE("a report of another schema is refused by name") {
    CHECK_THROWS_MATCHES(reading_after([](auto& document) { document["schema"] = "xcores.run/9"; })(),
                         std::invalid_argument,
                         says("report: schema: expected \"xcores.run/1\", not \"xcores.run/9\""));
}

TEST_CASE("a missing key is named with its path") {
    CHECK_THROWS_MATCHES(reading_after([](auto& document) { document["workers"][1].erase("cpu_ns"); })(),
                         std::invalid_argument, says("report: workers[1].cpu_ns: missing"));
}

TEST_CASE("a value of the wrong type is named with its path") {
    CHECK_THROWS_MATCHES(reading_after([](auto& document) { document["elapsed_ns"] = 1.5; })(), std::invalid_argument,
                         says("report: elapsed_ns: expected an integer"));
    CHECK_THROWS_MATCHES(reading_after([](auto& document) { document["workers"][0]["run_ns"] = {1, 2, 3}; })(),
                         std::invalid_argument, says("report: workers[0].run_ns: expected a start and an end"));
    CHECK_THROWS_MATCHES(reading_after([](auto& document) { document["environment"] = 7; })(), std::invalid_argument,
                         says("report: environment: expected an object"));
    CHECK_THROWS_MATCHES(reading_after([](auto& document) { document["kind"] = "fibers"; })(), std::invalid_argument,
                         says("report: kind: unknown name \"fibers\""));
    CHECK_THROWS_MATCHES(reading_after([](auto& document) { document["workers"][0]["index"] = 5'000'000'000; })(),
                         std::invalid_argument, says("report: workers[0].index: out of range"));
}

TEST_CASE("columns of spans that do not match are refused") {
    CHECK_THROWS_MATCHES(reading_after([](auto& document) { document["workers"][0]["spans"]["state"] = "r"; })(),
                         std::invalid_argument, says("report: workers[0].spans: columns of different lengths"));
    CHECK_THROWS_MATCHES(reading_after([](auto& document) { document["workers"][1]["spans"]["state"] = "x"; })(),
                         std::invalid_argument, says("report: workers[1].spans.state: unknown letter"));
}

TEST_CASE("a document that is no object is refused") {
    CHECK_THROWS_MATCHES(model::report_from_json(nlohmann::json::array()), std::invalid_argument,
                         says("report: document: expected an object"));
}

TEST_CASE("only workers that have imported something say so, as it was before imports were measured") {
    const nlohmann::json document = model::to_json(test::importing());
    CHECK(document["workers"][0]["import_ns"] == nlohmann::json{21'000'000, 186'000'000});
    CHECK_FALSE(document["workers"][1].contains("import_ns"));
    CHECK_FALSE(model::report_from_json(document).workers[1].imports);
}

TEST_CASE("a report from before data was counted is read, and says that it is unknown") {
    const auto report = reading_after([](auto& document) {
        for (const char* field : {"memory_shares", "bytes_in", "bytes_out"})
            document["workers"][0].erase(field);
    })();
    CHECK_FALSE(report.workers[0].bytes_in);
    CHECK_FALSE(report.workers[0].proportional_bytes);
}
