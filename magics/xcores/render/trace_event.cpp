// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/render/trace_event.hpp>

#include <set>
#include <string>
#include <string_view>

#include <xcores/render/activity.hpp>
#include <xcores/render/escape.hpp>
#include <xcores/render/svg_lanes.hpp>
#include <xcores/render/trace_tracks.hpp>

namespace xcores::render {

namespace {

using model::nanoseconds;
using nlohmann::json;

/// Linux's largest process id (PID_MAX_LIMIT): ids above it belong to no process.
constexpr std::int64_t largest_id = 1 << 22;

json microseconds(nanoseconds time) {
    return static_cast<double>(time.count()) / 1000;
}

struct track {
    std::int64_t process = 0;
    std::int64_t thread = 0;
};

/// The events of a document, and which ids are taken.
class document {
public:
    /// `id` is the system's, or 0.
    std::int64_t process(std::int64_t id, const std::string& name) {
        const std::int64_t process = id != 0 ? id : next_id_++;
        if (named_.insert(process).second) {
            describe("process_name", {process, 0}, {{"name", name}});
            describe("process_sort_index", {process, 0}, {{"sort_index", sort_index_++}});
        }
        return process;
    }

    track thread(std::int64_t process, std::int64_t id, const std::string& name) {
        const bool is_free = id != 0 && threads_.insert(id).second; // a later thread may have the id of an ended one
        const track made{process, is_free ? id : next_id_++};
        describe("thread_name", made, {{"name", name}});
        describe("thread_sort_index", made, {{"sort_index", sort_index_++}});
        return made;
    }

    void begin(const track& on, std::string_view category, std::string_view name, nanoseconds when,
               json arguments = json::object()) {
        json event = event_on(on, "B", category, name, when);
        if (!arguments.empty())
            event["args"] = std::move(arguments);
        add(event);
    }

    /// The format needs no name here; the importers of Chrome's developer tools and of the Firefox Profiler do.
    void end(const track& on, std::string_view category, std::string_view name, nanoseconds when) {
        add(event_on(on, "E", category, name, when));
    }

    void instant(const track& on, std::string_view category, std::string_view name, nanoseconds when, json arguments) {
        json event = event_on(on, "i", category, name, when);
        event["s"] = "t"; // of a thread
        event["args"] = std::move(arguments);
        add(event);
    }

    std::string finish(const json& facts) && {
        return R"({"displayTimeUnit":"ns","otherData":)" + facts.dump() + ",\n\"traceEvents\":[\n" + events_ + "\n]}\n";
    }

private:
    static json event_on(const track& on, std::string_view kind, std::string_view category, std::string_view name,
                         nanoseconds when) {
        return {{"ph", kind},        {"cat", category},  {"name", name},
                {"pid", on.process}, {"tid", on.thread}, {"ts", microseconds(when)}};
    }

    void describe(std::string_view what, const track& on, json arguments) {
        json event = event_on(on, "M", "__metadata", what, nanoseconds{});
        event["args"] = std::move(arguments);
        add(event);
    }

    void add(const json& event) {
        if (!events_.empty())
            events_ += ",\n";
        events_ += event.dump();
    }

    std::string events_; ///< as text: as values, those of a long run would take ten times as much memory
    std::set<std::int64_t> named_;
    std::set<std::int64_t> threads_;
    std::int64_t next_id_ = largest_id + 1;
    int sort_index_ = 0;
};

json span_arguments(const model::span& span) {
    json arguments{{"state", model::name_of(span.state)}, {"gil", model::name_of(span.gil)}};
    if (span.core >= 0)
        arguments["core"] = span.core;
    return arguments;
}

json run_arguments(const model::report& report, const model::worker_record& worker) {
    json arguments{{"kind", kind_words(report, worker)}};
    for (const auto& [name, value] : figures_of(worker))
        if (value)
            arguments[std::string(name)] = *value;
    if (!worker.result.empty())
        arguments["result"] = visible(worker.result);
    return arguments;
}

void add_phase(document& to, const track& on, const model::report& report, const model::worker_record& worker,
               const named_phase& phase) {
    const bool is_run = phase.name == run_phase;
    to.begin(on, "phase", phase.name, phase.start, is_run ? run_arguments(report, worker) : json::object());
    if (is_run)
        for (const model::span& span : spans_in_run(worker)) {
            const std::string_view words = words_for(activity_of(worker, span));
            to.begin(on, "state", words, span.start, span_arguments(span));
            to.end(on, "state", words, span.end);
        }
    to.end(on, "phase", phase.name, phase.end);
}

void add_worker(document& to, const model::report& report, const model::worker_record& worker, std::int64_t process) {
    const auto rows = rows_without_overlap(phases_of(worker));
    for (std::size_t row = 0; row < rows.size(); ++row) {
        const track on =
            to.thread(process, row == 0 ? worker.native_thread_id : 0, row_name(track_name(report, worker), row));
        for (const named_phase& phase : rows[row])
            add_phase(to, on, report, worker, phase);
        if (const std::string label = outcome_label(worker); row == 0 && !label.empty())
            to.instant(on, "outcome", label, last_moment(worker), outcome_arguments(worker.how));
    }
}

void add_occupancies(document& to, const model::report& report, const std::string& group, std::string_view category,
                     const std::vector<occupancy>& all) {
    if (all.empty())
        return;
    const std::int64_t process = to.process(0, group);
    for (const occupancy& place : all) {
        const auto rows = rows_without_overlap(place.stretches);
        for (std::size_t row = 0; row < rows.size(); ++row) {
            const track on = to.thread(process, 0, row_name(place.name, row));
            for (const stretch& stay : rows[row]) {
                const std::string who = occupant(report, stay.category);
                to.begin(on, category, who, stay.start);
                to.end(on, category, who, stay.end);
            }
        }
    }
}

json object_of(const std::vector<std::pair<std::string, std::string>>& facts) {
    json made = json::object();
    for (const auto& [label, words] : facts)
        made[label] = words;
    return made;
}

} // namespace

std::string trace_event(const model::report& report) {
    document made;
    const json facts = object_of(facts_about(report));
    const model::interval whole = extent_of(report);
    const track run = made.thread(made.process(0, "xcores"), 0, title_of(report));
    made.begin(run, "run", title_of(report), whole.start, facts);
    made.end(run, "run", title_of(report), whole.end);
    std::int64_t shared = 0; // for workers of unknown processes
    for (const model::worker_record& worker : report.workers) {
        const std::int64_t known = worker.process_id != 0 ? worker.process_id : shared;
        const std::int64_t process = made.process(known, process_name(report, worker));
        if (worker.process_id == 0 && report.kind != model::worker_kind::procs)
            shared = process;
        add_worker(made, report, worker, process);
    }
    add_occupancies(made, report, "Who held each GIL", "gil", gil_occupancies(report));
    add_occupancies(made, report, "Who ran on each core", "core", core_occupancies(report));
    return std::move(made).finish(facts);
}

} // namespace xcores::render
