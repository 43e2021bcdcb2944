// SPDX-License-Identifier: BSD-3-Clause
// The Python face of the engine: `xcores._engine`. Converts values and lets the GIL go; decides nothing.
#include <csignal>
#include <thread>

#include <dlfcn.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <xcores/cpython/arena_cache.hpp>
#include <xcores/cpython/buffers.hpp>
#include <xcores/executors/engine.hpp>
#include <xcores/executors/in_process.hpp>
#include <xcores/model/json.hpp>
#include <xcores/model/repeats.hpp>
#include <xcores/model/summary.hpp>
#include <xcores/os/clock.hpp>
#include <xcores/os/machine.hpp>
#include <xcores/os/thread_probe.hpp>
#include <xcores/render/html_table.hpp>
#include <xcores/render/live.hpp>
#include <xcores/render/mime_bundle.hpp>
#include <xcores/render/png.hpp>
#include <xcores/render/svg_timeline.hpp>
#include <xcores/render/text.hpp>

#include "bindings.hpp"
#include "compare_bindings.hpp"
#include "conversions.hpp"
#include "item_bindings.hpp"
#include "live_view.hpp"
#include "recorder_bindings.hpp"

namespace xcores::python {
namespace {

using std::chrono::nanoseconds;

std::unique_ptr<executors::engine>& the_engine() {
    static auto* kept = new std::unique_ptr<executors::engine>; // threads left behind may outlive static destruction
    return *kept;
}

} // namespace

executors::engine& configured_engine() {
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

void configure(const std::string& worker_source) {
    cpython::keep_arenas();
    const auto sys = py::module_::import("sys");
    executors::python_description python;
    if (const py::object executable = sys.attr("executable"); py::isinstance<py::str>(executable))
        python.executable = executable.cast<std::string>();
    python.modules = folder_of_this_module();
    python.prefix = py::str(sys.attr("prefix"));
    python.base_prefix = py::str(sys.attr("base_prefix"));
    for (const auto& entry : sys.attr("path"))
        if (py::isinstance<py::str>(entry))
            python.path.push_back(entry.cast<std::string>());
    python.worker_source = worker_source;
    auto made = std::make_unique<executors::engine>(std::move(python));
    describe_python(made->environment());
    the_engine() = std::move(made);
}

/// One payload for every tuple object: the same input for all workers is kept once.
std::vector<std::shared_ptr<const run::payload>> payloads_from(const py::list& inputs) {
    std::vector<std::shared_ptr<const run::payload>> made;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        const bool same = i > 0 && inputs[i].is(inputs[i - 1]);
        made.push_back(same ? made.back() : payload_from(inputs[i].cast<py::tuple>()));
    }
    return made;
}

std::shared_ptr<run::session> start(const std::string& kind, const py::list& inputs, std::optional<double> timeout,
                                    double sample_hz, double grace, bool fresh, bool keep,
                                    std::shared_ptr<run::item_queue> items, bool pin, const std::string& gil,
                                    const std::string& start_method) {
    cpython::release_buffers();
    run::plan plan;
    plan.kind = kind_named(kind);
    plan.gil = gil_named(gil);
    plan.start = start_method_named(start_method);
    if (pin)
        plan.pin_to = os::usable_cores();
    plan.inputs = payloads_from(inputs);
    plan.grace = seconds(grace);
    plan.fresh = fresh;
    plan.keep = keep;
    plan.items = std::move(items);
    if (plan.inputs.empty() || plan.inputs.size() > worker_limit)
        throw py::value_error("the number of workers must be from 1 to " + std::to_string(worker_limit));
    if (timeout)
        plan.timeout = seconds(*timeout);
    plan.sample_period = sample_hz > 0 ? seconds(1 / sample_hz) : nanoseconds{0};
    auto& engine = configured_engine();
    engine.environment().switch_interval = switch_interval();
    const py::gil_scoped_release let_go;
    return engine.start(std::move(plan));
}

bool wait(run::session& session, double time) {
    if (PyErr_CheckSignals() != 0)
        throw py::error_already_set();
    const auto woken = [&] {
        const py::gil_scoped_release let_go;
        return session.wait(seconds(time));
    }();
    if (woken == run::session::wake::signalled && PyErr_CheckSignals() != 0)
        throw py::error_already_set();
    return woken == run::session::wake::finished;
}

py::list read_output(run::session& session) {
    py::list chunks;
    for (auto& one : session.take_output())
        chunks.append(py::make_tuple(one.worker, static_cast<int>(one.from),
                                     py::reinterpret_steal<py::str>(PyUnicode_DecodeUTF8(
                                         one.text.data(), static_cast<Py_ssize_t>(one.text.size()), "replace"))));
    return chunks;
}

py::object reply_of(const run::session& session, int worker) {
    const auto sent = session.output(worker);
    return sent ? tuple_of(*sent) : py::object(py::none());
}

run::stop_reason reason_named(const std::string& name) {
    using enum run::stop_reason;
    if (name == "interrupt")
        return interrupt;
    if (name == "timeout")
        return timeout;
    if (name == "failure")
        return failure;
    throw py::value_error("reason must be interrupt, timeout or failure, not " + name);
}

void stop(run::session& session, const std::string& name) {
    const auto reason = reason_named(name);
    const py::gil_scoped_release let_go;
    session.stop(reason);
}

py::list outcomes_of(const report_view& self) {
    py::list outcomes;
    for (const auto& worker : self.value.workers)
        outcomes.append(dict_of(worker.how));
    return outcomes;
}

bool write_output(int stream, const std::string& text) {
    const auto& sink = executors::thread_output();
    if (!sink)
        return false;
    const py::gil_scoped_release let_go;
    sink(stream == 2 ? run::stream::standard_error : run::stream::standard_output, text);
    return true;
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
            py::make_tuple(now.idle, now.busy, now.left_behind, now.memory_bytes);
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
                 return picture_of([&] { return render::with_metadata(render::picture_bundle(self.value)); });
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
    module.doc() = "The xcores engine. Every call lets the GIL go while it waits or draws.";
    module.attr("worker_limit") = worker_limit;
    module.attr("version") = XCORES_VERSION;
    define_report(module);
    define_items(module);
    define_executors(module);
    define_recorder(module);
    define_comparison(module);
    py::class_<run::session, std::shared_ptr<run::session>>(module, "Run", "One cell running on several workers.")
        .def("wait", &wait, py::arg("seconds"),
             "Waits until all workers have ended (True); or there is new output, more items are wanted, a signal came, "
             "or the time is over (False).")
        .def("read_output", &read_output, "New output: a list of (worker, stream, text).")
        .def("stop", &stop, py::arg("reason"), "Asks the workers to stop: 'interrupt', 'timeout' or 'failure'.")
        .def("report",
             [](const run::session& self) {
                 const py::gil_scoped_release let_go;
                 auto report = self.report(run::session::detail::recent);
                 return report_view{report.wall ? self.report() : std::move(report)};
             })
        .def("reply", &reply_of, py::arg("worker"), "What a worker sent back: (data, buffers), or None.");
    define_live_view(module);
    module.def("usable_cores", &os::usable_cores, "The cores this process may run on.");
    module.def("configure", &configure, py::arg("worker_source"));
    module.def("start", &start, py::arg("kind"), py::arg("inputs"), py::kw_only(), py::arg("timeout") = py::none(),
               py::arg("sample_hz") = 1000.0, py::arg("grace") = 0.4, py::arg("fresh") = false, py::arg("keep") = false,
               py::arg("items") = nullptr, py::arg("pin") = false, py::arg("gil") = "own",
               py::arg("start_method") = "forkserver");
    module.def("median_of", &median_of, py::arg("reports"),
               "The report of the median run, with the spread of all, of several runs of the same cell.");
    module.def("status", &status, "What the workers of each kind do: (idle, busy, left behind, memory of the idle).");
    module.def("write", &write_output, py::arg("stream"), py::arg("text"),
               "To the output of the worker whose thread calls; False when none does.");
    module.def("shutdown", &shutdown, py::arg("patience") = 2.0,
               "Ends the idle workers; False when some did not end in time.");
    module.def("leave", &leave,
               "The same when Python is about to end: results still in use no longer delay anything. False when there "
               "are any: "
               "Python itself then ends the interpreters that they lie in.");
    module.def(
        "warm_fonts",
        [] {
            std::thread warming([] {
                os::block_signals_on_this_thread();
                render::warm_fonts();
            });
            os::name_thread(warming, "xcores fonts");
            warming.detach();
        },
        "The first picture of a process takes longer: this is that time, spent beforehand and on a thread of its own.");
}
