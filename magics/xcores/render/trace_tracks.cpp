// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/render/trace_tracks.hpp>

#include <algorithm>

#include <xcores/model/format.hpp>
#include <xcores/model/summary.hpp>
#include <xcores/render/escape.hpp>
#include <xcores/render/svg_lanes.hpp>
#include <xcores/render/svg_timeline.hpp>
#include <xcores/render/table.hpp>

namespace xcores::render {

namespace {

using model::nanoseconds;

std::string core_list(const std::vector<int>& cores) {
    std::string text;
    for (const int core : cores)
        text += (text.empty() ? "" : ", ") + std::to_string(core);
    return text;
}

std::string gil_title(const model::gil_record& gil) {
    return "GIL of " + visible(with_article(gil.name));
}

std::string gil_words(const model::report& report, const model::gil_record& gil) {
    std::string text = model::held_words(report, gil);
    if (gil.handovers)
        text += (text.empty() ? "" : ", ") + model::counted(*gil.handovers, "hand-over", "hand-overs");
    return text;
}

std::string item_words(const model::items_record& items) {
    std::string text = model::count(items.done);
    if (items.total)
        text += " of " + model::count(*items.total);
    text += " done, " + model::count(items.failed) + " failed";
    if (items.first_failure)
        text += "; first failure: item " + std::to_string(items.first_failure->index) + " in worker " +
                std::to_string(items.first_failure->worker) + ", " + visible(items.first_failure->what);
    return text;
}

} // namespace

std::vector<named_phase> phases_of(const model::worker_record& worker) {
    std::vector<named_phase> phases;
    const auto add = [&phases](std::string_view name, const std::optional<model::interval>& when) {
        if (when && when->start <= when->end)
            phases.push_back({name, when->start, when->end});
    };
    add("start-up", worker.startup);
    add("import", worker.imports);
    add("transfer in", worker.transfer_in);
    add(run_phase, worker.run);
    add("transfer out", worker.transfer_out);
    std::ranges::stable_sort(phases, {}, &named_phase::start);
    return phases;
}

std::vector<model::span> spans_in_run(const model::worker_record& worker) {
    std::vector<model::span> spans;
    if (!worker.run)
        return spans;
    for (model::span next : worker.spans) {
        next.start = std::max(next.start, worker.run->start);
        next.end = std::min(next.end, worker.run->end);
        if (next.start < next.end)
            spans.push_back(next);
    }
    return spans;
}

std::vector<occupancy> gil_occupancies(const model::report& report) {
    std::vector<occupancy> all;
    for (const model::gil_record& gil : report.gils) {
        occupancy holders{gil_title(gil), holds_of(report, gil)};
        for (const model::interval& unclear : model::unclear_holding(report, gil))
            holders.stretches.push_back({unclear.start, unclear.end, report.workers.size()});
        std::ranges::stable_sort(holders.stretches, {}, &stretch::start);
        all.push_back(std::move(holders));
    }
    return all;
}

std::vector<occupancy> core_occupancies(const model::report& report) {
    std::vector<occupancy> all;
    for (const int core : cores_of(report))
        if (std::vector<stretch> visits = visits_to(report, core); !visits.empty())
            all.push_back({"core " + std::to_string(core), std::move(visits)});
    return all;
}

std::string occupant(const model::report& report, std::size_t category) {
    return category < report.workers.size() ? shown_label(report.workers[category]) : "unknown";
}

std::string shown_label(const model::worker_record& worker) {
    return visible(label_of(worker));
}

std::string_view kind_words(const model::report& report, const model::worker_record& worker) {
    if (worker.lane != model::lane_kind::worker)
        return words_for(worker.lane);
    switch (report.kind) {
    case model::worker_kind::threads:
        return "thread";
    case model::worker_kind::subinterp:
        return "interpreter";
    case model::worker_kind::procs:
        return "process";
    case model::worker_kind::cores:
        break;
    }
    return words_for(worker.lane);
}

std::string track_name(const model::report& report, const model::worker_record& worker) {
    const std::string label = shown_label(worker);
    return worker.lane == model::lane_kind::worker ? label + " (" + std::string(kind_words(report, worker)) + ")"
                                                   : label;
}

std::string process_name(const model::report& report, const model::worker_record& worker) {
    const bool alone = report.kind == model::worker_kind::procs || worker.lane == model::lane_kind::process;
    return alone ? shown_label(worker) : title_of(report);
}

std::string title_of(const model::report& report) {
    const std::string magic = "%%" + std::string(model::name_of(report.kind));
    return report.kind == model::worker_kind::cores ? magic : magic + " " + std::to_string(report.workers.size());
}

std::string outcome_label(const model::worker_record& worker) {
    if (const std::string event = event_of(worker); !event.empty())
        return visible(event);
    const bool says_nothing =
        worker.how.kind == model::outcome_kind::pending || worker.lane != model::lane_kind::worker;
    return says_nothing ? "" : std::string(model::name_of(worker.how.kind));
}

std::string visible_lines(std::string_view text) {
    std::string lines;
    while (!text.empty()) {
        const auto end = text.find('\n');
        lines += visible(text.substr(0, end));
        if (end == std::string_view::npos)
            break;
        lines += '\n';
        text.remove_prefix(end + 1);
    }
    return lines;
}

nlohmann::json outcome_arguments(const model::outcome& outcome) {
    nlohmann::json arguments{{"outcome", model::name_of(outcome.kind)}};
    if (!outcome.type.empty())
        arguments["type"] = visible(outcome.type);
    if (!outcome.message.empty())
        arguments["message"] = visible(outcome.message);
    if (!outcome.traceback.empty())
        arguments["traceback"] = visible_lines(outcome.traceback);
    if (outcome.code)
        arguments["code"] = *outcome.code;
    if (outcome.abandoned)
        arguments["abandoned"] = true;
    return arguments;
}

std::vector<figure> figures_of(const model::worker_record& worker) {
    const auto count = [](const std::optional<nanoseconds>& time) {
        return time ? std::optional<std::int64_t>(time->count()) : std::nullopt;
    };
    return {{"cpu_ns", count(worker.cpu)},
            {"queue_wait_ns", count(worker.queue_wait)},
            {"voluntary_switches", worker.voluntary_switches},
            {"involuntary_switches", worker.involuntary_switches},
            {"minor_faults", worker.minor_faults},
            {"major_faults", worker.major_faults},
            {"migrations", worker.migrations},
            {"memory_bytes", worker.memory_bytes},
            {"items", worker.items}};
}

std::vector<std::pair<std::string, std::string>> facts_about(const model::report& report) {
    std::vector<std::pair<std::string, std::string>> facts;
    const auto add = [&facts](std::string label, std::string words) {
        if (!words.empty())
            facts.emplace_back(std::move(label), std::move(words));
    };
    const model::environment_record& machine = report.environment;
    add("xcores", visible(machine.xcores));
    add("Python", visible(machine.python));
    add("GIL", machine.gil_disabled ? "this Python has no GIL" : "");
    add("switch interval", machine.switch_interval ? model::round_duration(*machine.switch_interval) : "");
    add("platform", visible(machine.platform));
    add("processor", visible(machine.cpu));
    add("usable cores", core_list(machine.cores));
    add("cell", title_of(report));
    add("what happened", visible(model::caption_of(report)));
    add(report.wall ? "wall time" : "time so far", model::duration(report.elapsed));
    add("recording", recording_words(report));
    for (const model::gil_record& gil : report.gils)
        add(gil_title(gil), gil_words(report, gil));
    add("items", report.items ? item_words(*report.items) : "");
    add("repeats", report.repeats ? "the median of " + model::counted(report.repeats->runs, "run", "runs") : "");
    add("left out",
        report.left_out > 0 ? model::counted(report.left_out, "thread or process", "threads and processes") : "");
    return facts;
}

std::string row_name(const std::string& name, std::size_t row) {
    return row == 0 ? name : name + " (" + std::to_string(row + 1) + ")";
}

} // namespace xcores::render
