// SPDX-License-Identifier: BSD-3-Clause
// `xcores._engine.Job`: how one job of an executor ends, with as little Python between as possible.
#include "job_bindings.hpp"

#include <pybind11/stl.h>

#include <xcores/cpython/gil_access.h>
#include <xcores/cpython/job_values.hpp>
#include <xcores/run/lookout.hpp>

#include "open_queues.hpp"

namespace xcores::python {

using cpython::held;
using cpython::hold;
using std::chrono::nanoseconds;

namespace {

notice_board*& kept_notices() {
    static auto* board = new notice_board; // workers left behind may still write
    return board;
}

} // namespace

job_helpers& helpers() {
    static job_helpers set;
    return set;
}

notice_board& notices() {
    return *kept_notices();
}

void forget_notices() {
    kept_notices() = new notice_board;
}

bool job_view::cancel() {
    const bool done = job_->cancel();
    cpython::release_held();
    return done;
}

py::object job_view::result(std::optional<double> timeout) {
    fetch(timeout);
    if (error_) {
        PyErr_SetRaisedException(error_.inc_ref().ptr());
        throw py::error_already_set();
    }
    return value_;
}

py::object job_view::exception(std::optional<double> timeout) {
    fetch(timeout);
    return error_ ? error_ : py::none();
}

py::tuple job_view::results(std::size_t first, std::optional<double> timeout) {
    wait(first, timeout);
    const auto answer = job_->find(first);
    if (!answer) {
        PyErr_SetNone(helpers().cancelled);
        throw py::error_already_set();
    }
    job_->forget(first);
    auto values = values_of(*answer);
    return py::make_tuple(values, error_of(*answer));
}

void job_view::watch(py::object future) {
    job_->when_over([kept = hold(owned(std::move(future)))]() mutable { notices().put(std::move(kept)); });
}

/// As with Ctrl-C in a terminal: an interrupt that ends the wait ends what is waited for.
template <typename Waiting>
bool job_view::interrupted_with_us(Waiting&& waiting) {
    try {
        return waiting();
    } catch (py::error_already_set& error) {
        if (const auto queue = queue_.lock(); queue && error.matches(PyExc_KeyboardInterrupt))
            queue->interrupt(job_.get());
        throw;
    }
}

void job_view::wait(std::size_t first, std::optional<double> timeout) {
    if (over(job_->now()) || job_->find(first))
        return;
    const auto in_time = interrupted_with_us([&] {
        return wait_for(timeout, [&](nanoseconds time) {
            const auto how = job_->wait(first, time);
            await_gil();
            return how;
        });
    });
    cpython::release_held();
    if (in_time || over(job_->now()))
        return;
    PyErr_SetNone(PyExc_TimeoutError);
    throw py::error_already_set();
}

/// The worker has just answered and is about to release our GIL. A thread that sleeps on the GIL is woken late, so this
/// one waits awake for a moment.
void job_view::await_gil() const {
    static const void* gil = xcores_gil_of(PyInterpreterState_Main());
    static run::lookout free_gil;
    if (by_reference_)
        free_gil.look_while([] { return xcores_gil_is_held(gil) != 0; });
}

void job_view::fetch(std::optional<double> timeout) {
    if (value_ || error_)
        return;
    wait(0, timeout);
    const auto answer = job_->find(0);
    if (!answer && (value_ || error_)) // another thread was faster
        return;
    if (!answer) {
        PyErr_SetNone(helpers().cancelled);
        throw py::error_already_set();
    }
    auto error = error_of(*answer);
    py::object value;
    if (error.is_none()) {
        try {
            value = first_of(*answer);
        } catch (py::error_already_set& problem) { // the result cannot be rebuilt here
            error = problem.value();
        }
    }
    if (value_ || error_)
        return;
    (value ? value_ : error_) = value ? std::move(value) : std::move(error);
    job_->forget(0);
}

py::object job_view::first_of(const run::answer& answer) {
    if (by_reference_)
        return py::reinterpret_borrow<py::object>(
            PyList_GET_ITEM(static_cast<PyObject*>(answer.results.object.get()), 0));
    return given(cpython::value_reader(answer.results, helpers().loaded).next());
}

py::list job_view::values_of(const run::answer& answer) {
    if (by_reference_ && answer.results.object)
        return given(held(answer.results.object));
    py::list values;
    for (cpython::value_reader reader(answer.results, helpers().loaded); !reader.at_end();)
        values.append(given(reader.next()));
    return values;
}

py::object job_view::error_of(const run::answer& answer) {
    const auto& how = answer.how;
    if (how.kind == model::outcome_kind::returned)
        return py::none();
    if (answer.error.object)
        return given(held(answer.error.object));
    py::object original = py::none();
    if (!answer.error.data.empty()) {
        auto made = cpython::value_reader(answer.error, helpers().loaded).next();
        if (made)
            original = given(std::move(made));
        else
            PyErr_Clear(); // it cannot be rebuilt here: the texts stand for it
    }
    return py::reinterpret_borrow<py::object>(helpers().failure)(std::string(model::name_of(how.kind)), how.type,
                                                                 how.message, how.traceback, original);
}

namespace {

py::list take_output() {
    py::list chunks;
    for (const auto& [from, text, origin] : notices().take_output())
        chunks.append(py::make_tuple(static_cast<int>(from),
                                     py::reinterpret_steal<py::str>(PyUnicode_DecodeUTF8(
                                         text.data(), static_cast<Py_ssize_t>(text.size()), "replace")),
                                     origin ? given(held(origin)) : py::object(py::none())));
    return chunks;
}

py::list take_over() {
    py::list futures;
    for (const auto& one : notices().take_over())
        futures.append(given(held(one)));
    return futures;
}

} // namespace

void define_jobs(py::module_& module) {
    const auto timeout = py::arg("timeout") = py::none();
    py::class_<job_view>(module, "Job", "One call of a function in a worker, or many.")
        .def("cancel", &job_view::cancel)
        .def("result", &job_view::result, timeout)
        .def("exception", &job_view::exception, timeout)
        .def("results", &job_view::results, py::arg("first"), timeout)
        .def_property_readonly("size", &job_view::size, "How many items it had.")
        .def("watch", &job_view::watch, py::arg("future"))
        .def_property_readonly("cancelled", &job_view::cancelled)
        .def_property_readonly("running", &job_view::running)
        .def_property_readonly("done", &job_view::done);
    module.def("wait_for_notices", [] {
        const py::gil_scoped_release let_go;
        return notices().wait();
    });
    module.def("has_output", [] { return notices().has_output(); });
    module.def("take_output", &take_output, "What jobs have printed: a list of (stream, text, origin).");
    module.def("take_over", &take_over, "Futures that are watched and over.");
    module.def("close_notices", [] { notices().close(); });
    module.def(
        "set_job_helpers",
        [](py::dict dumped, py::object loaded, py::object failure, py::object cancelled) {
            helpers() = {dumped.release().ptr(), loaded.release().ptr(), failure.release().ptr(),
                         cancelled.release().ptr()};
        },
        py::arg("dumped"), py::arg("loaded"), py::arg("failure"), py::arg("cancelled"));
}

} // namespace xcores::python
