// SPDX-License-Identifier: BSD-3-Clause
// The Python face of the engine: `xcores._engine`. Converts values and lets the GIL go; decides nothing.
#include <cstdlib>
#include <random>
#include <system_error>
#include <thread>

#include <dlfcn.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <xcores/cpython/arena_cache.hpp>
#include <xcores/cpython/buffers.hpp>
#include <xcores/cpython/forks.h>
#include <xcores/cpython/function_version.hpp>
#include <xcores/cpython/gil_lock.hpp>
#include <xcores/executors/engine.hpp>
#include <xcores/executors/in_process.hpp>
#include <xcores/model/json.hpp>
#include <xcores/model/repeats.hpp>
#include <xcores/model/summary.hpp>
#include <xcores/os/machine.hpp>
#include <xcores/os/named_thread.hpp>
#include <xcores/os/thread_probe.hpp>
#include <xcores/render/firefox_profile.hpp>
#include <xcores/render/html_table.hpp>
#include <xcores/render/live.hpp>
#include <xcores/render/mime_bundle.hpp>
#include <xcores/render/png.hpp>
#include <xcores/render/svg_timeline.hpp>
#include <xcores/render/text.hpp>
#include <xcores/render/trace_event.hpp>
#include <xcores/run/exact_source.hpp>

#include "bindings.hpp"
#include "compare_bindings.hpp"
#include "conversions.hpp"
#include "item_bindings.hpp"
#include "live_view.hpp"
#include "recorder_bindings.hpp"
#include "run_bindings.hpp"

namespace xcores::python {
namespace {

std::unique_ptr<executors::engine>& the_engine() {
    static auto* kept = new std::unique_ptr<executors::engine>; // threads left behind may outlive static destruction
    return *kept;
}

} // namespace

namespace {

void configure(const std::string& worker_codes);
std::string& known_codes() {
    static std::string kept;
    return kept;
}

/// In the child of a fork: the workers' threads are the parent's. The next run makes an engine of its own.
void forget_workers() {
    static_cast<void>(the_engine().release()); // left where it is: a lock may be held for ever
    forget_executors();
}

} // namespace

executors::engine& configured_engine() {
    if (!the_engine() && !known_codes().empty())
        configure(known_codes());
    if (!the_engine())
        throw std::runtime_error("xcores._engine.configure() has not been called");
    return *the_engine();
}

model::worker_kind kind_named(const std::string& name) {
    using enum model::worker_kind;
    for (const auto kind : {threads, subinterp, procs})
        if (name == model::name_of(kind))
            return kind;
    throw py::value_error("kind must be threads, subinterp or procs, not " + name);
}

model::gil_choice gil_named(const std::string& name) {
    if (name != "own" && name != "shared")
        throw py::value_error("gil must be own or shared, not " + name);
    return name == "own" ? model::gil_choice::own : model::gil_choice::shared;
}

model::start_method start_method_named(const std::string& name) {
    if (name != "spawn" && name != "forkserver")
        throw py::value_error("start_method must be spawn or forkserver, not " + name);
    return name == "spawn" ? model::start_method::spawn : model::start_method::forkserver;
}

namespace {

/// The module of a process worker lies beside this one.
std::string folder_of_this_module() {
    Dl_info here{};
    if (dladdr(reinterpret_cast<const void*>(&folder_of_this_module), &here) == 0 || !here.dli_fname)
        throw std::runtime_error("the folder of xcores._engine cannot be found");
    const std::string file = here.dli_fname;
    return file.substr(0, file.rfind('/'));
}

/// Paths need not be UTF-8.
std::string path_of(const py::handle& text) {
    const auto encoded = py::reinterpret_steal<py::bytes>(PyUnicode_EncodeFSDefault(text.ptr()));
    if (!encoded)
        throw py::error_already_set();
    return encoded;
}

/// For process workers: one for all, so that each of them puts the same key into the same part. Ours is not to be had.
std::string new_hash_seed() {
    if (std::getenv("PYTHONHASHSEED"))
        return {};
    std::uniform_int_distribution<std::uint32_t> seeds(1);
    std::random_device source;
    return "PYTHONHASHSEED=" + std::to_string(seeds(source));
}

void configure(const std::string& worker_codes) {
    cpython::keep_arenas();
    const auto sys = py::module_::import("sys");
    executors::python_description python;
    if (const py::object executable = sys.attr("executable"); py::isinstance<py::str>(executable))
        python.executable = path_of(executable);
    python.modules = folder_of_this_module();
    python.prefix = path_of(sys.attr("prefix"));
    python.base_prefix = path_of(sys.attr("base_prefix"));
    for (const auto& entry : sys.attr("path"))
        if (py::isinstance<py::str>(entry))
            python.path.push_back(path_of(entry));
    python.worker_codes = worker_codes;
    python.hash_seed = new_hash_seed();
    auto made = std::make_unique<executors::engine>(std::move(python));
    describe_python(made->environment());
    the_engine() = std::move(made);
    known_codes() = worker_codes;
}

py::list outcomes_of(const report_view& self) {
    py::list outcomes;
    for (const auto& worker : self.value.workers)
        outcomes.append(dict_of(worker.how));
    return outcomes;
}

/// The output of one worker of the kind threads, for all threads that print as it.
struct worker_output {
    run::output_sink sink;

    void write(int stream, const std::string& text) const {
        const py::gil_scoped_release let_go;
        sink(stream == 2 ? run::stream::standard_error : run::stream::standard_output, text);
    }
};

std::optional<worker_output> output_of_this_thread() {
    const auto& sink = executors::thread_output();
    return sink ? std::optional(worker_output{sink}) : std::nullopt;
}

bool shutdown(double patience) {
    const py::gil_scoped_release let_go;
    return !the_engine() || the_engine()->shutdown(seconds(patience));
}

report_view median_of(const py::list& reports) {
    std::vector<model::report> all;
    for (const auto& one : reports)
        all.push_back(one.cast<const report_view&>().value);
    if (all.empty())
        throw py::value_error("there is no report");
    return {model::repeated(std::move(all))};
}

py::dict status() {
    py::dict all;
    using enum model::worker_kind;
    for (const auto kind : {threads, subinterp, procs}) {
        const auto now = the_engine() ? the_engine()->state(kind) : run::pool_state{};
        all[py::str(std::string(model::name_of(kind)))] =
            py::make_tuple(now.idle, now.busy, now.left_behind, now.memory_bytes, now.serving);
    }
    return all;
}

bool leave() {
    constexpr double patience = 2.0;
    cpython::stop_awaiting_returns();
    shutdown(patience);
    return !cpython::workers_lend();
}

void define_report(py::module_& module) {
    py::class_<report_view>(module, "Report", "What happened in one run; a value.")
        .def("__repr__",
             [](const report_view& self) {
                 return "<Report: " + model::caption_of(self.value) + " text() gives the table.>";
             })
        .def("to_json", [](const report_view& self) { return text_of(model::to_json(self.value)); })
        .def(
            "text",
            [](const report_view& self, int columns) {
                return without_gil([&] { return render::text(self.value, columns); });
            },
            py::arg("columns") = 100)
        .def("html",
             [](const report_view& self) { return without_gil([&] { return render::html_table(self.value); }); })
        .def("svg",
             [](const report_view& self) { return without_gil([&] { return render::svg_timeline(self.value, {}); }); })
        .def("png",
             [](const report_view& self) {
                 return py::bytes(without_gil([&] { return render::png(render::svg_timeline(self.value, {})); }));
             })
        .def("trace_event",
             [](const report_view& self) { return without_gil([&] { return render::trace_event(self.value); }); })
        .def("firefox_profile",
             [](const report_view& self) {
                 return without_gil([&] { return text_of(render::firefox_profile(self.value)); });
             })
        .def("live_html",
             [](const report_view& self) { return without_gil([&] { return render::live_html(self.value); }); })
        .def("live_text",
             [](const report_view& self) { return without_gil([&] { return render::live_text(self.value); }); })
        .def("table_bundle",
             [](const report_view& self) {
                 return from_json(without_gil([&] { return render::table_bundle(self.value); }));
             })
        .def("picture_bundle",
             [](const report_view& self) {
                 return picture_of([&] {
                     return render::with_metadata(render::picture_bundle(self.value), model::caption_of(self.value));
                 });
             })
        .def_property_readonly("caption", [](const report_view& self) { return model::caption_of(self.value); })
        .def_property_readonly("wall_ns",
                               [](const report_view& self) -> std::optional<std::int64_t> {
                                   return self.value.wall ? std::optional(self.value.wall->count()) : std::nullopt;
                               })
        .def_static("from_json", [](const std::string& text) { return report_view{report_from_text(text)}; })
        .def_property_readonly("kind",
                               [](const report_view& self) { return std::string(model::name_of(self.value.kind)); })
        .def_property_readonly("figures", [](const report_view& self) { return figures_of(self.value); })
        .def_property_readonly("outcomes", &outcomes_of);
}

} // namespace
} // namespace xcores::python

PYBIND11_MODULE(_engine, module, pybind11::mod_gil_not_used()) {
    using namespace xcores;
    using namespace xcores::python;
    if (const int error = xcores_leave_interpreters_at_fork(); error != 0)
        throw std::system_error(error, std::generic_category(), "pthread_atfork");
    module.doc() = "The xcores engine. Every call lets the GIL go while it waits or draws.";
    module.attr("worker_limit") = worker_limit;
    module.attr("version") = XCORES_VERSION;
    define_report(module);
    define_items(module);
    define_executors(module);
    define_recorder(module);
    define_comparison(module);
    define_run(module);
    define_live_view(module);
    module.add_object("restore_version",
                      py::reinterpret_steal<py::object>(cpython::restore_version_function().release()));
    module.def("usable_cores", &os::usable_cores, "The cores this process may run on.");
    module.def(
        "recording_refusal", [] { return run::exact_source::refusal(cpython::cpython_code()).value(); },
        "Why events cannot be recorded now, as an errno; 0: they can.");
    module.def("configure", &configure, py::arg("worker_codes"));
    module.def("median_of", &median_of, py::arg("reports"),
               "The report of the median run, with the spread of all, of several runs of the same cell.");
    module.def("status", &status,
               "What the workers of each kind do: (idle, busy, left behind, memory of the idle, serving executors).");
    py::class_<worker_output>(module, "WorkerOutput", "Where a worker prints to.")
        .def("write", &worker_output::write, py::arg("stream"), py::arg("text"));
    module.def("worker_output", &output_of_this_thread, "That of the worker whose thread calls; None when none does.");
    module.def("shutdown", &shutdown, py::arg("patience") = 2.0,
               "Ends the idle workers; False when some did not end in time.");
    module.def("forget_workers", &forget_workers, "In the child of a fork: what there was of workers is the parent's.");
    module.def("leave", &leave,
               "The same when Python is about to end: results still in use no longer delay anything. False when there "
               "are any: "
               "Python itself then ends the interpreters that they lie in.");
    module.def(
        "warm_fonts",
        [] {
            os::named_thread("xcores fonts", [] {
                os::block_signals_on_this_thread();
                render::warm_fonts();
            }).detach();
        },
        "The first picture of a process takes longer: this is that time, spent beforehand and on a thread of its own.");
}
