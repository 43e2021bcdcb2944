// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/render/firefox_profile.hpp>

#include <array>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <xcores/model/certainty.hpp>
#include <xcores/render/activity.hpp>
#include <xcores/render/escape.hpp>
#include <xcores/render/svg_lanes.hpp>
#include <xcores/render/trace_tracks.hpp>

namespace xcores::render {

namespace {

using model::nanoseconds;
using nlohmann::json;

constexpr int gecko_version = 32; ///< the format that Firefox itself writes, of the time of the version below
constexpr int processed_version = 60;

enum class category : std::uint8_t {
    other,
    gil,
    cpu,
    phase,
    outcome,
    activity, ///< the first of as many as there are activities, in their order
};

struct category_look {
    std::string_view name;
    std::string_view colour;
};

// The first must be grey: it is the default. "GIL" and "CPU" are named as in `profiling.sampling`.
constexpr std::array<category_look, 5> marker_categories{
    {{"Other", "grey"}, {"GIL", "green"}, {"CPU", "purple"}, {"Phase", "yellow"}, {"Outcome", "red"}}};

/// As near to the picture's colours as the format's list of names allows; what is unknown is drawn as nothing.
constexpr std::array<std::string_view, activities> activity_colours{"blue",    "lightblue", "purple",   "green",
                                                                    "magenta", "orange",    "darkgrey", "transparent"};

std::size_t index_of(category which) {
    return static_cast<std::size_t>(which);
}

std::size_t category_of(activity which) {
    return index_of(category::activity) + static_cast<std::size_t>(which);
}

double milliseconds(nanoseconds time) {
    return static_cast<double>(time.count()) / 1e6;
}

json category_list() {
    json list = json::array();
    const auto add = [&list](std::string_view name, std::string_view colour) {
        list.push_back({{"name", name}, {"color", colour}, {"subcategories", {"Other"}}});
    };
    for (const category_look& look : marker_categories)
        add(look.name, look.colour);
    for (const activity which : all_activities)
        add(words_for(which), activity_colours[static_cast<std::size_t>(which)]);
    return list;
}

json field(std::string_view key, std::string_view label, std::string_view format) {
    return {{"key", key}, {"label", label}, {"format", format}};
}

json marker_schema(std::string_view type, std::string_view description, json fields) {
    return {{"name", type},
            {"description", description},
            {"display", {"marker-chart", "marker-table", "timeline-overview"}},
            {"fields", std::move(fields)}};
}

std::string_view format_of(std::string_view figure) {
    return figure.ends_with("_ns") ? "nanoseconds" : figure.ends_with("_bytes") ? "bytes" : "integer";
}

json phase_fields() {
    json fields{field("kind", "kind", "string"), field("result", "result", "string")};
    for (const auto& [name, value] : figures_of({}))
        fields.push_back(field(name, name, format_of(name)));
    return fields;
}

json marker_schemas() {
    return {
        marker_schema("HasGIL", "The thread held its GIL.", json::array()),
        marker_schema("NoGIL", "The thread did not hold its GIL.", json::array()),
        marker_schema("WaitingforGIL", "The thread waited in the queue for its GIL.", json::array()),
        marker_schema("OnCPU", "The thread ran on a core.", json::array({field("core", "Core", "string")})),
        marker_schema("OffCPU", "The thread did not run.", json::array({field("state", "State", "string")})),
        marker_schema("Phase", "What was done for, or by, the worker.", phase_fields()),
        marker_schema("Outcome", "How the user's code ended in this worker.",
                      {field("outcome", "Outcome", "string"), field("exception", "Exception", "string"),
                       field("message", "Message", "string"), field("traceback", "Traceback", "string"),
                       field("code", "Code", "integer")}),
        marker_schema("Run", "The whole run.", json::array({field("facts", "Facts", "list")})),
    };
}

/// Strings, functions, frames and stacks, shared by all threads. Each stack is one frame deep.
class shared_tables {
public:
    std::size_t text(const std::string& words) {
        const auto [found, is_new] = numbers_.try_emplace(words, strings_.size());
        if (is_new)
            strings_.push_back(words);
        return found->second;
    }

    std::size_t stack(const std::string& name, std::size_t category) {
        const auto [found, is_new] = stacks_.try_emplace({name, category}, frames_.size());
        if (is_new)
            frames_.emplace_back(text(name), category);
        return found->second;
    }

    json finish() && {
        const auto length = frames_.size();
        json numbers = json::array();
        json names = json::array();
        json categories = json::array();
        for (std::size_t i = 0; i < length; ++i) {
            numbers.push_back(i);
            names.push_back(frames_[i].first);
            categories.push_back(frames_[i].second);
        }
        const auto filled = [length](const json& value) { return json(std::vector<json>(length, value)); };
        return {{"stringArray", std::move(strings_)},
                {"stackTable", {{"frame", numbers}, {"prefix", filled(nullptr)}, {"length", length}}},
                {"frameTable",
                 {{"address", filled(-1)},
                  {"inlineDepth", filled(0)},
                  {"category", std::move(categories)},
                  {"subcategory", filled(0)},
                  {"func", numbers},
                  {"nativeSymbol", filled(nullptr)},
                  {"innerWindowID", filled(nullptr)},
                  {"line", filled(nullptr)},
                  {"column", filled(nullptr)},
                  {"length", length}}},
                {"funcTable",
                 {{"name", std::move(names)},
                  {"isJS", filled(false)},
                  {"relevantForJS", filled(false)},
                  {"resource", filled(-1)},
                  {"source", filled(nullptr)},
                  {"lineNumber", filled(nullptr)},
                  {"columnNumber", filled(nullptr)},
                  {"length", length}}},
                {"resourceTable",
                 {{"lib", json::array()},
                  {"name", json::array()},
                  {"host", json::array()},
                  {"type", json::array()},
                  {"length", 0}}},
                {"nativeSymbols",
                 {{"libIndex", json::array()},
                  {"address", json::array()},
                  {"name", json::array()},
                  {"functionSize", json::array()},
                  {"length", 0}}},
                {"sources", {{"uuid", json::array()}, {"filename", json::array()}, {"length", 0}}}};
    }

private:
    json strings_ = json::array();
    std::map<std::string, std::size_t> numbers_;
    std::map<std::pair<std::string, std::size_t>, std::size_t> stacks_;
    std::vector<std::pair<std::size_t, std::size_t>> frames_; ///< name and category
};

/// What a thread's samples say, in order. The profiler gives a sample the time up to the middle between it and its
/// neighbours: with a sample at each end of a slice, and two without a stack around a hole, this middle is the
/// boundary.
class sample_columns {
public:
    void add(nanoseconds start, nanoseconds end, std::size_t stack) {
        if (latest_ && *latest_ < start) {
            add_sample(*latest_, nullptr, nanoseconds{});
            add_sample(start, nullptr, nanoseconds{});
        }
        add_sample(start, stack, end - start);
        add_sample(end, stack, nanoseconds{}); // without weight: what ends with the profile's range is outside of it
        latest_ = end;
    }

    json finish() && {
        const auto length = times_.size();
        return {{"stack", std::move(stacks_)},
                {"time", std::move(times_)},
                {"weight", std::move(weights_)},
                {"weightType", "tracing-ms"},
                {"length", length}};
    }

private:
    void add_sample(nanoseconds when, json stack, nanoseconds weight) {
        times_.push_back(milliseconds(when));
        stacks_.push_back(std::move(stack));
        weights_.push_back(milliseconds(weight));
    }

    json times_ = json::array();
    json stacks_ = json::array();
    json weights_ = json::array();
    std::optional<nanoseconds> latest_;
};

struct marker {
    std::string name;
    category shown_as = category::other;
    nanoseconds start{};
    std::optional<nanoseconds> end{}; ///< empty: a moment
    json data;
};

class marker_columns {
public:
    explicit marker_columns(shared_tables& tables) : tables_(tables) {}

    void add(marker next) {
        names_.push_back(tables_.text(next.name));
        starts_.push_back(milliseconds(next.start));
        ends_.push_back(next.end ? json(milliseconds(*next.end)) : json(nullptr));
        phases_.push_back(next.end ? 1 : 0);
        categories_.push_back(index_of(next.shown_as));
        data_.push_back(std::move(next.data));
    }

    json finish() && {
        const auto length = names_.size();
        return {{"name", std::move(names_)},
                {"startTime", std::move(starts_)},
                {"endTime", std::move(ends_)},
                {"phase", std::move(phases_)},
                {"category", std::move(categories_)},
                {"data", std::move(data_)},
                {"length", length}};
    }

private:
    shared_tables& tables_;
    json names_ = json::array();
    json starts_ = json::array();
    json ends_ = json::array();
    json phases_ = json::array();
    json categories_ = json::array();
    json data_ = json::array();
};

/// Joins what follows each other with the same name and data into one marker.
class joined_markers {
public:
    joined_markers(marker_columns& to, category shown_as) : to_(to), shown_as_(shown_as) {}
    joined_markers(const joined_markers&) = delete;
    joined_markers& operator=(const joined_markers&) = delete;

    void add(std::string_view name, nanoseconds start, nanoseconds end, json data) {
        if (is_open_ && open_.name == name && open_.end == start && open_.data == data) {
            open_.end = end;
            return;
        }
        close();
        is_open_ = true;
        open_ = marker{std::string(name), shown_as_, start, end, std::move(data)};
    }

    void close() {
        if (std::exchange(is_open_, false))
            to_.add(std::move(open_));
    }

private:
    marker_columns& to_;
    category shown_as_;
    marker open_; ///< beside a flag: GCC 16 takes an std::optional with JSON in it for uninitialized under
                  ///< -fsanitize=thread
    bool is_open_ = false;
};

void add_gil_markers(marker_columns& to, const std::vector<model::span>& spans) {
    joined_markers holding(to, category::gil);
    for (const model::span& span : spans)
        if (span.gil == model::gil_state::held)
            holding.add("Has GIL", span.start, span.end, {{"type", "HasGIL"}});
        else if (span.gil == model::gil_state::not_held)
            holding.add("No GIL", span.start, span.end, {{"type", "NoGIL"}});
    holding.close();
    joined_markers waiting(to, category::gil);
    for (const model::span& span : spans)
        if (span.state == model::thread_state::waiting_gil)
            waiting.add("Waiting for GIL", span.start, span.end, {{"type", "WaitingforGIL"}});
    waiting.close();
}

void add_core_markers(marker_columns& to, const model::worker_record& worker, const std::vector<model::span>& spans) {
    joined_markers cores(to, category::cpu);
    for (const model::span& span : spans)
        if (span.state == model::thread_state::running) {
            json data{{"type", "OnCPU"}};
            if (span.core >= 0)
                data["core"] = "core " + std::to_string(span.core);
            cores.add("On CPU", span.start, span.end, std::move(data));
        } else if (span.state != model::thread_state::unknown) {
            cores.add("Off CPU", span.start, span.end,
                      {{"type", "OffCPU"}, {"state", words_for(activity_of(worker, span))}});
        }
    cores.close();
}

json run_data(const model::report& report, const model::worker_record& worker) {
    json data{{"type", "Phase"}, {"kind", kind_words(report, worker)}};
    if (!worker.result.empty())
        data["result"] = visible(worker.result);
    for (const auto& [name, value] : figures_of(worker))
        if (value)
            data[std::string(name)] = *value;
    return data;
}

json outcome_data(const model::outcome& outcome) {
    json data = outcome_arguments(outcome);
    if (data.contains("type")) // which is the marker's type here
        data["exception"] = std::move(data["type"]);
    data["type"] = "Outcome";
    return data;
}

json worker_markers(const model::report& report, const model::worker_record& worker, shared_tables& tables) {
    marker_columns markers(tables);
    for (const named_phase& phase : phases_of(worker))
        markers.add({std::string(phase.name), category::phase, phase.start, phase.end,
                     phase.name == run_phase ? run_data(report, worker) : json{{"type", "Phase"}}});
    const std::vector<model::span> spans = spans_in_run(worker);
    add_gil_markers(markers, spans);
    add_core_markers(markers, worker, spans);
    if (const std::string label = outcome_label(worker); !label.empty())
        markers.add({label, category::outcome, last_moment(worker), {}, outcome_data(worker.how)});
    return std::move(markers).finish();
}

json worker_samples(const model::worker_record& worker, shared_tables& tables) {
    sample_columns samples;
    for (const model::span& span : spans_in_run(worker)) {
        const activity doing = activity_of(worker, span);
        samples.add(span.start, span.end, tables.stack(std::string(words_for(doing)), category_of(doing)));
    }
    return std::move(samples).finish();
}

/// Ids are those of the operating system where they are known: a number for a thread, a string for a process.
struct identification {
    std::string process_name;
    std::string process;
    std::string name;
    json thread;
    bool is_main = false; ///< the thread with which its process began
};

json thread_of(const identification& who, json samples, json markers) {
    return {{"processType", "default"},
            {"processName", who.process_name},
            {"processStartupTime", 0},
            {"processShutdownTime", nullptr},
            {"registerTime", 0},
            {"unregisterTime", nullptr},
            {"pausedRanges", json::array()},
            {"showMarkersInTimeline", true},
            {"name", who.name},
            {"isMainThread", who.is_main},
            {"pid", who.process},
            {"tid", who.thread},
            {"samples", std::move(samples)},
            {"markers", std::move(markers)}};
}

identification identification_of(const model::report& report, const model::worker_record& worker) {
    const std::string process = process_name(report, worker);
    return {.process_name = process,
            .process = worker.process_id != 0 ? std::to_string(worker.process_id) : process,
            .name = track_name(report, worker),
            .thread = worker.native_thread_id != 0 ? json(worker.native_thread_id) : json(shown_label(worker)),
            .is_main = worker.process_id != 0 && worker.process_id == worker.native_thread_id};
}

json fact_list(const std::vector<std::pair<std::string, std::string>>& facts) {
    json list = json::array();
    for (const auto& [label, words] : facts)
        list.push_back(label + ": " + words);
    return list;
}

json run_thread(const model::report& report, shared_tables& tables,
                const std::vector<std::pair<std::string, std::string>>& facts) {
    marker_columns markers(tables);
    const model::interval whole = extent_of(report);
    markers.add(
        {title_of(report), category::phase, whole.start, whole.end, {{"type", "Run"}, {"facts", fact_list(facts)}}});
    return thread_of({"xcores", "xcores", title_of(report), "run"}, sample_columns().finish(),
                     std::move(markers).finish());
}

void add_occupancies(json& threads, const model::report& report, shared_tables& tables, const std::string& group,
                     category shown_as, const std::vector<occupancy>& all) {
    for (const occupancy& place : all) {
        const auto rows = rows_without_overlap(place.stretches);
        for (std::size_t row = 0; row < rows.size(); ++row) {
            const std::string name = row_name(place.name, row);
            sample_columns samples;
            for (const stretch& stay : rows[row])
                samples.add(stay.start, stay.end, tables.stack(occupant(report, stay.category), index_of(shown_as)));
            threads.push_back(
                thread_of({group, group, name, name}, std::move(samples).finish(), marker_columns(tables).finish()));
        }
    }
}

json extra_of(const std::vector<std::pair<std::string, std::string>>& facts) {
    json entries = json::array();
    for (const auto& [label, words] : facts)
        entries.push_back({{"label", label}, {"format", "string"}, {"value", words}});
    return json::array({{{"label", "Run"}, {"entries", std::move(entries)}}});
}

json meta_of(const model::report& report, const std::vector<std::pair<std::string, std::string>>& facts,
             std::size_t threads) {
    const model::interval whole = extent_of(report);
    const nanoseconds sampled_every = model::sampling_interval(report);
    // The format demands an interval also where events were recorded; the viewer uses it only as a sample's width.
    const nanoseconds interval = sampled_every > nanoseconds{0} ? sampled_every : std::chrono::milliseconds{1};
    json visible_threads = json::array();
    for (std::size_t i = 0; i < threads; ++i)
        visible_threads.push_back(i);
    return {{"version", gecko_version},
            {"preprocessedProfileVersion", processed_version},
            {"product", title_of(report)},
            {"importedFrom", "xcores " + visible(report.environment.xcores)},
            {"startTime", 0}, // the report does not say on which day it was
            {"profilingStartTime", milliseconds(whole.start)},
            {"profilingEndTime", milliseconds(whole.end)},
            {"interval", milliseconds(interval)},
            {"processType", 0},
            {"stackwalk", 0},
            {"oscpu", visible(report.environment.platform)},
            {"CPUName", visible(report.environment.cpu)},
            {"categories", category_list()},
            {"markerSchema", marker_schemas()},
            {"symbolicationNotSupported", true},
            {"usesOnlyOneStackType", true},
            {"sourceCodeIsNotOnSearchfox", true},
            {"keepProfileThreadOrder", true},
            {"initialSelectedThreads", {report.workers.empty() ? 0 : 1}}, // after that of the run
            {"initialVisibleThreads", std::move(visible_threads)},
            {"extra", extra_of(facts)}};
}

} // namespace

json firefox_profile(const model::report& report) {
    const auto facts = facts_about(report);
    shared_tables tables;
    json threads = json::array();
    threads.push_back(run_thread(report, tables, facts));
    for (const model::worker_record& worker : report.workers)
        threads.push_back(thread_of(identification_of(report, worker), worker_samples(worker, tables),
                                    worker_markers(report, worker, tables)));
    add_occupancies(threads, report, tables, "Who held each GIL", category::gil, gil_occupancies(report));
    add_occupancies(threads, report, tables, "Who ran on each core", category::cpu, core_occupancies(report));
    json meta = meta_of(report, facts, threads.size());
    return {{"meta", std::move(meta)},
            {"libs", json::array()},
            {"pages", json::array()},
            {"shared", std::move(tables).finish()},
            {"threads", std::move(threads)}};
}

} // namespace xcores::render
