// SPDX-License-Identifier: BSD-3-Clause
#include "compare_bindings.hpp"

#include <algorithm>

#include <pybind11/stl.h>

#include <xcores/model/comparison.hpp>
#include <xcores/model/json.hpp>
#include <xcores/model/summary.hpp>
#include <xcores/render/compare_chart.hpp>
#include <xcores/render/compare_table.hpp>
#include <xcores/render/mime_bundle.hpp>
#include <xcores/render/png.hpp>
#include <xcores/render/run_pair.hpp>

#include "conversions.hpp"

namespace py = pybind11;

namespace xcores::python {

namespace {

using std::chrono::nanoseconds;

struct comparison_view {
    model::comparison value;
};

/// Two runs with the names they have in the notebook.
struct pair_view {
    std::string first_name;
    model::report first;
    std::string second_name;
    model::report second;

    render::named_run one() const { return {first_name, first}; }
    render::named_run other() const { return {second_name, second}; }
};

template <class Enum, std::size_t Size>
Enum named(const std::string& name, const std::array<Enum, Size>& all) {
    for (const Enum one : all)
        if (name == model::name_of(one))
            return one;
    throw py::value_error("unknown name: " + name);
}

nlohmann::json parsed(const std::string& text) {
    try {
        return nlohmann::json::parse(text);
    } catch (const nlohmann::json::exception& error) {
        throw py::value_error(std::string("this is not JSON: ") + error.what());
    }
}

comparison_view new_comparison(const std::string& reading, int rounds,
                               const std::vector<std::pair<std::optional<std::string>, int>>& ways) {
    using enum model::work_reading;
    using enum model::worker_kind;
    comparison_view made;
    made.value.reading = named(reading, std::array{divided, numbered, repeated, mapped});
    made.value.rounds = rounds;
    for (const auto& [kind, workers] : ways) {
        model::configuration one;
        if (kind)
            one.kind = named(*kind, std::array{threads, subinterp, procs});
        one.workers = workers;
        made.value.configurations.push_back(std::move(one));
    }
    return made;
}

model::configuration& way_at(comparison_view& self, std::size_t index) {
    if (index >= self.value.configurations.size())
        throw py::index_error("there is no such way");
    return self.value.configurations[index];
}

void add_round(comparison_view& self, std::size_t index, const report_view& run) {
    model::add_round(way_at(self, index), run.value);
    self.value.environment = run.value.environment;
}

void add_serial(comparison_view& self, std::size_t index, std::int64_t wall_ns, std::int64_t cpu_ns,
                std::optional<std::int64_t> core_wait_ns) {
    model::configuration& one = way_at(self, index);
    one.walls.emplace_back(wall_ns);
    if (core_wait_ns)
        one.core_waits.emplace_back(*core_wait_ns);
    if (wall_ns > 0)
        one.cores_busy = static_cast<double>(cpu_ns) / static_cast<double>(wall_ns);
}

void set_startup(comparison_view& self, std::size_t index, const report_view& first) {
    model::configuration probe;
    model::add_round(probe, first.value);
    way_at(self, index).startup = probe.startup;
    way_at(self, index).imports = probe.imports;
    self.value.environment = first.value.environment;
}

py::object seconds(const std::optional<nanoseconds>& time) {
    return time ? py::object(py::float_(std::chrono::duration<double>(*time).count())) : py::object(py::none());
}

py::object seconds(const std::optional<model::interval>& phase) {
    return seconds(phase ? std::optional(phase->length()) : std::nullopt);
}

py::object gil_wait(const model::worker_record& worker) {
    const model::state_times times = model::times_of(worker);
    return seconds(model::gil_wait_share(times) ? std::optional(times.waiting_gil) : std::nullopt);
}

py::dict figures_of_way(const model::comparison& all, const model::configuration& one) {
    py::dict row;
    row["kind"] = one.kind ? std::string(model::name_of(*one.kind)) : std::string("serial");
    row["workers"] = one.workers;
    const auto time = model::time_of(all, one);
    const auto in_seconds = [](double value) { return value / 1e9; };
    row["time_s"] = time ? std::optional(in_seconds(time->median)) : std::nullopt;
    row["least_s"] = time ? std::optional(in_seconds(time->least)) : std::nullopt;
    row["most_s"] = time ? std::optional(in_seconds(time->most)) : std::nullopt;
    const auto speedup = model::speedup_of(all, one);
    row["speedup"] = speedup ? std::optional(speedup->median) : std::nullopt;
    const auto idle = model::idle_speedup_of(all, one);
    row["idle_speedup"] = idle ? std::optional(idle->median) : std::nullopt;
    row["efficiency"] = model::efficiency_of(all, one);
    row["startup_s"] = seconds(one.startup);
    row["import_s"] = seconds(one.imports);
    row["cores_busy"] = one.cores_busy;
    row["gil_wait"] = one.gil_wait;
    row["core_wait"] = model::core_wait_of(one);
    row["transfer"] = one.transfer;
    row["moved_bytes"] = one.moved_bytes;
    row["memory_bytes"] = one.memory_bytes;
    row["results"] = std::string(model::name_of(one.results));
    row["failure"] = one.failure;
    return row;
}

py::list rows_of(const comparison_view& self) {
    py::list rows;
    for (const model::configuration& one : self.value.configurations)
        rows.append(figures_of_way(self.value, one));
    return rows;
}

py::dict recommendation_of(const comparison_view& self) {
    const model::recommendation use = model::recommendation_for(self.value);
    py::dict all;
    all["kind"] = use.kind ? std::optional(std::string(model::name_of(*use.kind))) : std::nullopt;
    all["workers"] = use.workers;
    all["why"] = std::string(model::name_of(use.why));
    all["sentence"] = use.sentence;
    return all;
}

/// The forms in which everything can be shown and saved.
template <class View, class Text, class Html, class Svg>
void define_forms(py::class_<View>& type, Text text, Html html, Svg svg) {
    type.def(
            "text", [text](const View& self, int columns) { return without_gil([&] { return text(self, columns); }); },
            py::arg("columns") = 100)
        .def("html", [html](const View& self) { return without_gil([&] { return html(self); }); })
        .def("svg", [svg](const View& self) { return without_gil([&] { return svg(self); }); })
        .def("png", [svg](const View& self) { return py::bytes(without_gil([&] { return render::png(svg(self)); })); });
}

void define_comparisons(py::module_& module) {
    py::class_<comparison_view> type(module, "Comparison", "The same cell, run in several ways; a value.");
    define_forms(
        type, [](const comparison_view& self, int columns) { return render::text_table(self.value, columns); },
        [](const comparison_view& self) { return render::html_table(self.value); },
        [](const comparison_view& self) { return render::svg_chart(self.value); });
    type.def(py::init(&new_comparison), py::arg("reading"), py::arg("rounds"), py::arg("ways"))
        .def_static("from_json",
                    [](const std::string& text) { return comparison_view{model::comparison_from_json(parsed(text))}; })
        .def("add_round", &add_round, py::arg("way"), py::arg("report"), "What the next round of this way showed.")
        .def("add_serial", &add_serial, py::arg("way"), py::arg("wall_ns"), py::arg("cpu_ns"), py::arg("core_wait_ns"))
        .def("set_startup", &set_startup, py::arg("way"), py::arg("report"), "From a run on new workers.")
        .def("set_failure", [](comparison_view& self, std::size_t index,
                               const std::string& why) { way_at(self, index).failure = why; })
        .def("set_results",
             [](comparison_view& self, std::size_t index, const std::string& results) {
                 using enum model::agreement;
                 way_at(self, index).results = named(results, std::array{same, different, varies});
             })
        .def("set_interrupted", [](comparison_view& self) { self.value.interrupted = true; })
        .def("to_json", [](const comparison_view& self) { return text_of(model::to_json(self.value)); })
        .def("table_bundle",
             [](const comparison_view& self) {
                 return from_json(without_gil([&] { return render::table_bundle(self.value); }));
             })
        .def("picture_bundle",
             [](const comparison_view& self) {
                 return picture_of([&] {
                     return render::with_metadata(render::picture_bundle(self.value),
                                                  model::recommendation_for(self.value).sentence);
                 });
             })
        .def_property_readonly("rows", &rows_of)
        .def_property_readonly("recommendation", &recommendation_of);
}

void define_pairs(py::module_& module) {
    py::class_<pair_view> type(module, "Pair", "Two runs beside each other; a value.");
    define_forms(
        type, [](const pair_view& self, int columns) { return render::text_pair(self.one(), self.other(), columns); },
        [](const pair_view& self) { return render::html_pair(self.one(), self.other()); },
        [](const pair_view& self) { return render::svg_pair(self.one(), self.other()); });
    type.def(py::init([](std::string first_name, const report_view& first, std::string second_name,
                         const report_view& second) {
            return pair_view{std::move(first_name), first.value, std::move(second_name), second.value};
        }))
        .def("table_bundle",
             [](const pair_view& self) {
                 return from_json(without_gil([&] { return render::table_bundle(self.one(), self.other()); }));
             })
        .def("picture_bundle",
             [](const pair_view& self) {
                 return picture_of([&] {
                     return render::with_metadata(render::picture_bundle(self.one(), self.other()),
                                                  render::caption_of(self.one(), self.other()));
                 });
             })
        .def_property_readonly("caption",
                               [](const pair_view& self) { return render::caption_of(self.one(), self.other()); });
}

} // namespace

void define_comparison(py::module_& module) {
    define_comparisons(module);
    define_pairs(module);
}

namespace {

std::optional<std::int64_t> bytes_of(const std::optional<model::traffic>& one) {
    return one ? std::optional(one->copied + one->shared) : std::nullopt;
}

} // namespace

py::list figures_of(const model::report& run) {
    py::list rows;
    for (const model::worker_record& worker : run.workers) {
        py::dict row;
        row["worker"] = worker.index;
        row["outcome"] = std::string(model::name_of(worker.how.kind));
        row["error"] = worker.how.type.empty() ? worker.how.message : worker.how.type + ": " + worker.how.message;
        row["result"] = worker.result;
        row["startup_s"] = seconds(worker.startup);
        row["import_s"] = seconds(worker.imports);
        row["transfer_in_s"] = seconds(worker.transfer_in);
        row["run_s"] = seconds(worker.run);
        row["transfer_out_s"] = seconds(worker.transfer_out);
        row["cpu_s"] = seconds(worker.cpu);
        row["gil_wait_s"] = gil_wait(worker);
        row["memory_bytes"] = worker.memory_bytes;
        row["proportional_bytes"] = worker.proportional_bytes;
        row["unique_bytes"] = worker.unique_bytes;
        row["bytes_in"] = bytes_of(worker.bytes_in);
        row["bytes_out"] = bytes_of(worker.bytes_out);
        rows.append(row);
    }
    return rows;
}

model::report report_from_text(const std::string& text) {
    return model::report_from_json(parsed(text));
}

} // namespace xcores::python
