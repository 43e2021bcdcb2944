// SPDX-License-Identifier: BSD-3-Clause
// Reports for the viewers of others: they look as approved, and add up to the report's own figures.
#include <catch2/catch_test_macros.hpp>

#include <cmath>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <support/report_builder.hpp>
#include <support/scenarios.hpp>
#include <xcores/model/json.hpp>
#include <xcores/model/summary.hpp>
#include <xcores/render/activity.hpp>
#include <xcores/render/firefox_profile.hpp>
#include <xcores/render/trace_event.hpp>
#include <xcores/render/trace_tracks.hpp>

#include "golden.hpp"

namespace {

using namespace std::chrono_literals;
using namespace xcores;
using model::nanoseconds;
using nlohmann::json;

/// Broken into lines down to this depth, so that a column is a line.
std::string laid_out(const json& value, int depth, const std::string& indent = "") {
    if (depth == 0 || !value.is_structured() || value.empty())
        return value.dump();
    const std::string deeper = indent + " ";
    std::string text;
    for (const auto& [key, item] : value.items())
        text += (text.empty() ? "\n" : ",\n") + deeper + (value.is_object() ? json(key).dump() + ": " : std::string()) +
                laid_out(item, depth - 1, deeper);
    return (value.is_object() ? "{" : "[") + text + "\n" + indent + (value.is_object() ? "}" : "]");
}

void check(const std::string& name) {
    const auto saved = golden::content_of(golden::folder() / "reports" / (name + ".json"));
    const model::report report = model::report_from_json(json::parse(saved));
    golden::compare(golden::folder() / "approved" / (name + ".trace.json"), render::trace_event(report));
    json profile = render::firefox_profile(report);
    if (!report.workers.empty()) // of the categories and marker types one approved file is enough
        profile.erase("meta");
    golden::compare(golden::folder() / "approved" / (name + ".profile.json"), laid_out(profile, 3) + "\n");
}

nanoseconds from_unit(double value, double nanoseconds_each) {
    return nanoseconds{std::llround(value * nanoseconds_each)};
}

using totals = std::map<std::string, nanoseconds>;

/// What the slices of a trace add up to, by thread and category. Fails where slices do not nest or go back in time.
class slice_totals {
public:
    explicit slice_totals(const json& trace) {
        std::map<std::int64_t, std::vector<json>> open;
        std::map<std::int64_t, double> latest;
        for (const json& event : trace["traceEvents"]) {
            const auto thread = event["tid"].get<std::int64_t>();
            const std::string kind = event["ph"];
            if (kind == "M" && event["name"] == "thread_name") {
                INFO("each track has an id of its own: " << thread);
                CHECK(names_.emplace(thread, event["args"]["name"]).second);
            }
            if (kind != "B" && kind != "E")
                continue;
            REQUIRE(names_.contains(thread));
            CHECK(event["ts"].get<double>() >= latest[thread]);
            latest[thread] = event["ts"];
            if (kind == "B") {
                open[thread].push_back(event);
                continue;
            }
            REQUIRE(!open[thread].empty());
            const json begun = open[thread].back();
            open[thread].pop_back();
            CHECK(begun["name"] == event["name"]);
            const auto length = from_unit(event["ts"], 1000) - from_unit(begun["ts"], 1000);
            sums_[names_[thread]][begun["cat"]][begun["name"]] += length;
        }
        for (const auto& [thread, slices] : open)
            CHECK(slices.empty());
    }

    totals under(const std::string& track, const std::string& category) const {
        const auto found = sums_.find(track);
        if (found == sums_.end() || !found->second.contains(category))
            return {};
        return found->second.at(category);
    }

    std::set<std::string> tracks() const {
        std::set<std::string> all;
        for (const auto& [thread, name] : names_)
            all.insert(name);
        return all;
    }

private:
    std::map<std::int64_t, std::string> names_;
    std::map<std::string, std::map<std::string, totals>> sums_;
};

const json& thread_named(const json& profile, const std::string& name) {
    for (const json& thread : profile["threads"])
        if (thread["name"] == name)
            return thread;
    FAIL("no thread " << name);
    return profile;
}

totals sample_totals(const json& profile, const json& thread) {
    totals sums;
    const json& shared = profile["shared"];
    const json& samples = thread["samples"];
    double latest = 0;
    for (std::size_t i = 0; i < samples["length"]; ++i) {
        CHECK(samples["time"][i].get<double>() >= latest);
        latest = samples["time"][i];
        if (samples["stack"][i].is_null())
            continue;
        const std::size_t frame = shared["stackTable"]["frame"][samples["stack"][i].get<std::size_t>()];
        const std::size_t function = shared["frameTable"]["func"][frame];
        const std::size_t name = shared["funcTable"]["name"][function];
        sums[shared["stringArray"][name]] += from_unit(samples["weight"][i], 1e6);
    }
    return sums;
}

totals marker_totals(const json& profile, const json& thread) {
    totals sums;
    const json& markers = thread["markers"];
    for (std::size_t i = 0; i < markers["length"]; ++i)
        if (markers["phase"][i] == 1)
            sums[profile["shared"]["stringArray"][markers["name"][i].get<std::size_t>()]] +=
                from_unit(markers["endTime"][i], 1e6) - from_unit(markers["startTime"][i], 1e6);
    return sums;
}

nanoseconds length_of(const std::optional<model::interval>& phase) {
    return phase ? phase->length() : 0ns;
}

nanoseconds sum(const totals& all, std::initializer_list<render::activity> activities) {
    nanoseconds total{};
    for (const render::activity each : activities)
        if (const auto found = all.find(std::string(render::words_for(each))); found != all.end())
            total += found->second;
    return total;
}

void check_states(const totals& shown, const model::state_times& times) {
    using enum render::activity;
    CHECK(sum(shown, {with_gil}) == times.running_with_gil);
    CHECK(sum(shown, {without_gil, elsewhere}) == times.running_without_gil);
    CHECK(sum(shown, {unclear}) == times.running_unclear);
    CHECK(sum(shown, {waiting_gil}) == times.waiting_gil);
    CHECK(sum(shown, {waiting_core}) == times.waiting_core);
    CHECK(sum(shown, {blocked}) == times.blocked);
    CHECK(sum(shown, {unknown}) == times.unknown);
}

void check_totals(const model::report& report) {
    const slice_totals slices(json::parse(render::trace_event(report)));
    const json profile = render::firefox_profile(report);
    for (const model::worker_record& worker : report.workers) {
        const std::string track = render::track_name(report, worker);
        CAPTURE(track);
        const model::state_times times = model::times_of(worker);
        check_states(slices.under(track, "state"), times);
        totals phases = slices.under(track, "phase");
        CHECK(phases["start-up"] == length_of(worker.startup));
        CHECK(phases["import"] == length_of(worker.imports));
        CHECK(phases["transfer in"] == length_of(worker.transfer_in));
        CHECK(phases["run"] == length_of(worker.run));
        CHECK(phases["transfer out"] == length_of(worker.transfer_out));

        const json& thread = thread_named(profile, track);
        check_states(sample_totals(profile, thread), times);
        totals markers = marker_totals(profile, thread);
        CHECK(markers["run"] == length_of(worker.run));
        CHECK(markers["Has GIL"] == times.gil_held);
        CHECK(markers["Waiting for GIL"] == times.waiting_gil);
        CHECK(markers["On CPU"] == times.running_with_gil + times.running_without_gil + times.running_unclear);
        CHECK(markers["Off CPU"] == times.waiting_gil + times.waiting_core + times.blocked);
    }
}

/// The sum over the rows of a place of what one of its occupants had of it.
nanoseconds stays(const slice_totals& slices, const render::occupancy& place, const std::string& category,
                  const std::string& occupant) {
    nanoseconds total{};
    const std::set<std::string> tracks = slices.tracks();
    for (std::size_t row = 0; tracks.contains(render::row_name(place.name, row)); ++row)
        total += slices.under(render::row_name(place.name, row), category)[occupant];
    return total;
}

} // namespace

TEST_CASE("traces of two interpreters side by side look as approved") {
    check("side_by_side");
}

TEST_CASE("traces of a crashed process look as approved") {
    check("crashed_process");
}

TEST_CASE("traces of a worker that imports modules look as approved") {
    check("importing");
}

TEST_CASE("traces of a mapped cell look as approved") {
    check("mapped");
}

TEST_CASE("traces of hostile strings look as approved") {
    check("hostile_strings");
}

TEST_CASE("traces of no workers look as approved") {
    check("nobody");
}

TEST_CASE("traces of a run of which nothing is known look as approved") {
    check("all_unknown");
}

TEST_CASE("traces add up to the report's figures in every state") {
    for (const test::scenario& each : test::scenarios()) {
        CAPTURE(each.name);
        check_totals(each.report);
    }
    check_totals(test::many_workers(64));
}

TEST_CASE("traces lose no nanosecond where times are odd and samples have holes") {
    const auto odd = test::worker()
                         .started(0ns, 1'000'001ns)
                         .received(1'000'001ns, 1'000'004ns)
                         .ran(1'000'007ns, 8'123'456'789'013ns)
                         .holding(333'333'333ns)
                         .not_sampled(1ns)
                         .running(1ns, 1)
                         .waiting_for_gil(7'777'777'777'777ns)
                         .blocked(3ns)
                         .returned();
    check_totals(test::run_of(model::worker_kind::subinterp).worker(odd).own_gils("interpreter").report());
}

TEST_CASE("traces show who held each GIL and who ran on each core for as long as the report says") {
    for (const test::scenario& each : test::scenarios()) {
        CAPTURE(each.name);
        const model::report& report = each.report;
        const slice_totals slices(json::parse(render::trace_event(report)));
        const std::vector<render::occupancy> places = render::gil_occupancies(report);
        for (std::size_t number = 0; number < report.gils.size(); ++number)
            for (const int position : report.gils[number].workers) {
                const auto& worker = report.workers.at(static_cast<std::size_t>(position));
                nanoseconds expected{};
                for (const model::span& span : worker.spans)
                    expected += span.gil == model::gil_state::held ? span.end - span.start : 0ns;
                CHECK(stays(slices, places.at(number), "gil", render::shown_label(worker)) == expected);
            }
        for (const render::occupancy& place : render::core_occupancies(report))
            for (const model::worker_record& worker : report.workers) {
                nanoseconds expected{};
                for (const model::span& span : worker.spans)
                    if (span.state == model::thread_state::running && "core " + std::to_string(span.core) == place.name)
                        expected += span.end - span.start;
                CHECK(stays(slices, place, "core", render::shown_label(worker)) == expected);
            }
    }
}

TEST_CASE("two workers that were seen on a core at once get a row each") {
    const auto busy = test::worker().ran(0ms, 4ms).running(4ms, 0).returned();
    const auto report = test::run_of(model::worker_kind::procs).worker(busy).worker(busy).wall(4ms).report();
    const slice_totals slices(json::parse(render::trace_event(report)));
    CHECK(slices.under("core 0", "core") == totals{{"worker 0", 4ms}});
    CHECK(slices.under("core 0 (2)", "core") == totals{{"worker 1", 4ms}});
    const json profile = render::firefox_profile(report);
    CHECK(sample_totals(profile, thread_named(profile, "core 0 (2)")) == totals{{"worker 1", 4ms}});
}

TEST_CASE("a thread that got the id of an ended one has a track of its own") {
    const auto brief = test::worker().in_process(4711, 4712).ran(0ms, 4ms).running(4ms, 0).returned();
    const auto report = test::run_of(model::worker_kind::threads).worker(brief).worker(brief).wall(4ms).report();
    const slice_totals slices(json::parse(render::trace_event(report))); // which checks that ids differ
    CHECK(slices.tracks().contains("worker 1 (thread)"));
}

TEST_CASE("an exception's traceback keeps its lines and nothing invisible") {
    CHECK(render::visible_lines("a\n\x1b[31mb\n") == "a\n␛[31mb\n");
    CHECK(render::visible_lines("a") == "a");
    CHECK(render::visible_lines("") == "");
}
