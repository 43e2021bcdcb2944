// SPDX-License-Identifier: BSD-3-Clause
// `xcores._engine.Run`: one cell on several workers.
#include "run_bindings.hpp"

#include <stdexcept>

#include <pybind11/stl.h>

#include <xcores/cpython/buffers.hpp>
#include <xcores/executors/engine.hpp>
#include <xcores/os/machine.hpp>

#include "bindings.hpp"
#include "conversions.hpp"

namespace xcores::python {

using std::chrono::nanoseconds;

std::shared_ptr<run::session> run_view::session_or_null() const {
    const std::lock_guard lock(mutex_);
    return session_;
}

std::shared_ptr<run::session> run_view::session() const {
    auto current = session_or_null();
    if (!current)
        throw std::runtime_error("this run has not been started");
    return current;
}

void run_view::start(run::plan plan) {
    auto& engine = configured_engine();
    engine.environment().switch_interval = switch_interval();
    const py::gil_scoped_release let_go;
    std::shared_ptr<run::session> next;
    {
        const std::lock_guard lock(mutex_);
        session_.swap(next);
    }
    next = engine.start(std::move(plan));
    const std::lock_guard lock(mutex_);
    session_.swap(next);
}

bool run_view::wait(double time) {
    if (PyErr_CheckSignals() != 0)
        throw py::error_already_set();
    const auto current = session();
    const auto woken = [&] {
        const py::gil_scoped_release let_go;
        const std::lock_guard lock(waiting_);
        return current->wait(seconds(time));
    }();
    if (woken == run::session::wake::signalled && PyErr_CheckSignals() != 0)
        throw py::error_already_set();
    return woken == run::session::wake::finished;
}

void run_view::end() {
    const auto current = session_or_null();
    if (!current)
        return;
    const py::gil_scoped_release let_go;
    current->stop(run::stop_reason::interrupt);
    const std::lock_guard lock(waiting_);
    while (current->wait(std::chrono::milliseconds{100}) != run::session::wake::finished) {
    }
}

namespace {

/// One payload for every tuple object: the same input for all workers is kept once.
std::vector<std::shared_ptr<const run::payload>> payloads_from(const py::list& inputs) {
    std::vector<std::shared_ptr<const run::payload>> made;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        const bool same = i > 0 && inputs[i].is(inputs[i - 1]);
        made.push_back(same ? made.back() : payload_from(inputs[i].cast<py::tuple>()));
    }
    return made;
}

void start(run_view& self, const std::string& kind, const py::list& inputs, std::optional<double> timeout,
           double sample_hz, double grace, bool fresh, bool keep, std::shared_ptr<run::item_queue> items, bool pin,
           const std::string& gil, const std::string& start_method) {
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
    self.start(std::move(plan));
}

py::list read_output(const run_view& self) {
    py::list chunks;
    for (auto& one : self.session()->take_output())
        chunks.append(py::make_tuple(one.worker, static_cast<int>(one.from),
                                     py::reinterpret_steal<py::str>(PyUnicode_DecodeUTF8(
                                         one.text.data(), static_cast<Py_ssize_t>(one.text.size()), "replace"))));
    return chunks;
}

py::object reply_of(const run_view& self, int worker) {
    const auto sent = self.session()->output(worker);
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

void stop(const run_view& self, const std::string& name) {
    const auto reason = reason_named(name);
    const auto current = self.session();
    const py::gil_scoped_release let_go;
    current->stop(reason);
}

report_view report_of(const run_view& self) {
    const auto current = self.session();
    const py::gil_scoped_release let_go;
    auto report = current->report(run::session::detail::recent);
    return {report.wall ? current->report() : std::move(report)};
}

void leave(run_view& self, const py::object& kind, const py::object&, const py::object&) {
    if (!kind.is_none())
        self.end();
}

} // namespace

void define_run(py::module_& module) {
    py::class_<run_view, std::shared_ptr<run_view>>(
        module, "Run", "One cell on several workers. As a context, an exception ends what was started.")
        .def(py::init<>())
        .def("start", &start, py::arg("kind"), py::arg("inputs"), py::kw_only(), py::arg("timeout") = py::none(),
             py::arg("sample_hz") = 1000.0, py::arg("grace") = 0.4, py::arg("fresh") = false, py::arg("keep") = false,
             py::arg("items") = nullptr, py::arg("pin") = false, py::arg("gil") = "own",
             py::arg("start_method") = "forkserver", "Again: for the next run of a repeated cell.")
        .def_property_readonly("started", &run_view::started, "False also when the latest start failed.")
        .def("wait", &run_view::wait, py::arg("seconds"),
             "Waits until all workers have ended (True); or there is new output, more items are wanted, a signal came, "
             "or the time is over (False).")
        .def("read_output", &read_output, "New output: a list of (worker, stream, text).")
        .def("stop", &stop, py::arg("reason"), "Asks the workers to stop: 'interrupt', 'timeout' or 'failure'.")
        .def("end", &run_view::end, "Stops what still runs, and waits for its end; signals wait meanwhile.")
        .def("report", &report_of)
        .def("reply", &reply_of, py::arg("worker"), "What a worker sent back: (data, buffers), or None.")
        .def("__enter__", [](std::shared_ptr<run_view> self) { return self; })
        .def("__exit__", &leave);
}

} // namespace xcores::python
