// SPDX-License-Identifier: BSD-3-Clause
// `xcores._engine.JobQueue`: jobs go in, with as little Python between as possible.
#include <atomic>
#include <vector>

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <xcores/cpython/buffers.hpp>
#include <xcores/cpython/job_values.hpp>
#include <xcores/cpython/thread_state.hpp>
#include <xcores/executors/engine.hpp>
#include <xcores/executors/latest_origin.hpp>

#include "bindings.hpp"
#include "conversions.hpp"
#include "job_bindings.hpp"
#include "open_queues.hpp"

namespace xcores::python {
namespace {

using cpython::held;
using cpython::hold;
using std::chrono::nanoseconds;

void check(bool done) {
    if (!done)
        throw py::error_already_set();
}

/// A function in another form, made when a worker asks for it: `dumped(module) -> (bytes, buffers) or None`.
std::shared_ptr<const run::payload> other_form(const std::shared_ptr<void>& dumped, const std::string& module) {
    const cpython::visiting inside(PyInterpreterState_Main());
    const auto callable = held(dumped);
    const cpython::object made(PyObject_CallFunction(callable.get(), "s", module.c_str()));
    auto code = std::make_shared<run::payload>();
    if (made && !Py_IsNone(made.get()) && cpython::append_pickle(*code, made.get()))
        return code;
    if (PyErr_Occurred())
        PyErr_WriteUnraisable(callable.get());
    return nullptr;
}

class function_view {
public:
    function_view(model::worker_kind kind, py::object callable, py::object dumped, py::object otherwise) {
        static std::atomic<std::uint64_t> numbers = 0;
        auto made = std::make_shared<run::function>();
        made->number = ++numbers;
        if (kind == model::worker_kind::threads)
            made->code.object = hold(owned(std::move(callable)));
        else
            check(cpython::append_value(made->code, callable.ptr(), dumped.ptr()));
        if (!otherwise.is_none())
            made->otherwise = [kept = hold(owned(std::move(otherwise)))](const std::string& module) {
                return other_form(kept, module);
            };
        value = std::move(made);
    }
    std::shared_ptr<const run::function> value;
};

/// `dumped`: of helpers, for workers that do not share our objects; null for those that do.
run::payload arguments(const py::tuple& positional, const py::dict& named, PyObject* dumped) {
    run::payload made;
    if (!dumped)
        made.object = hold(owned(named.empty() ? py::object(positional) : py::list(py::make_tuple(positional, named))));
    else
        check(cpython::pack_arguments(made, positional.ptr(), named.ptr(), dumped));
    return made;
}

/// One executor's queue. Dropping it closes it.
class queue_view {
public:
    queue_view(const std::string& kind, int workers, double sample_hz, const function_view* initial,
               const py::tuple& initial_arguments, const std::string& gil, const std::string& start_method,
               int calls_each) {
        run::queue_plan plan;
        plan.kind = kind_named(kind);
        plan.gil = gil_named(gil);
        plan.start = start_method_named(start_method);
        if (plan.kind != model::worker_kind::threads)
            dumped_ = py::reinterpret_borrow<py::dict>(helpers().dumped)[py::str(kind)].ptr();
        plan.workers = workers;
        plan.calls_each = calls_each;
        plan.sample_period = sample_hz > 0 ? seconds(1 / sample_hz) : nanoseconds{0};
        if (initial) {
            plan.initial =
                std::make_shared<const run::function>(*initial->value); // told from jobs of that function by its place
            plan.initial_input = arguments(initial_arguments, {}, dumped_);
        }
        if (dumped_)
            plan.output = [](run::stream from, std::string_view text) {
                notices().put({from, std::string(text), executors::origin_of_output()});
            };
        queue_ = configured_engine().open_queue(std::move(plan));
        note_open_queue(queue_);
    }
    ~queue_view() {
        if (queue_)
            queue_->close();
    }
    queue_view(queue_view&&) noexcept = default;

    job_view submit(const function_view& what, const py::tuple& positional, const py::dict& named, py::object origin) {
        cpython::release_buffers();
        std::vector<run::payload> items;
        items.push_back(arguments(positional, named, dumped_));
        return put(what, std::move(items), std::move(origin));
    }
    /// None when there is no item.
    std::optional<job_view> submit_all(const function_view& what, const py::iterable& arguments_of_each,
                                       std::size_t share, py::object origin) {
        cpython::release_buffers();
        std::vector<run::payload> items;
        const py::dict none;
        for (const auto& one : arguments_of_each)
            items.push_back(arguments(py::reinterpret_borrow<py::tuple>(one), none, dumped_));
        return items.empty() ? std::nullopt : std::optional(put(what, std::move(items), std::move(origin), share));
    }
    void close() { queue_->close(); }
    void cancel_all() {
        queue_->cancel_all();
        cpython::release_held();
    }
    void kill_workers() {
        queue_->kill_workers();
        cpython::release_held();
    }
    bool stop_running() { return python::stop_running({queue_}); }
    bool wait(std::optional<double> timeout) {
        return wait_for(timeout, [&](nanoseconds time) { return queue_->wait(time); });
    }
    bool closed() const { return queue_->closed(); }
    std::string broken() const { return queue_->broken(); }
    report_view report() const {
        const py::gil_scoped_release let_go;
        return {queue_->report()};
    }

private:
    job_view put(const function_view& what, std::vector<run::payload> items, py::object origin, std::size_t share = 0) {
        if (!origin.is_none()) {
            const auto kept = hold(owned(std::move(origin)));
            for (auto& item : items)
                item.origin = kept;
        }
        auto job = std::make_shared<run::job>(what.value, std::move(items), share);
        queue_->put(job);
        return {std::move(job), queue_, dumped_ == nullptr};
    }
    std::shared_ptr<run::job_queue> queue_;
    PyObject* dumped_ = nullptr; ///< borrowed from helpers
};

} // namespace

// Left where they are: the threads that use them are the parent's, and a lock may be held for ever.
void forget_executors() {
    forget_queues();
    forget_notices();
}

void define_executors(py::module_& module) {
    py::register_exception_translator([](std::exception_ptr problem) {
        try {
            std::rethrow_exception(problem);
        } catch (const run::queue_refused& refused) {
            PyErr_SetString(PyExc_RuntimeError, refused.what());
        }
    });
    py::class_<function_view>(module, "Function", "A function that jobs of one kind of worker call.")
        .def(py::init([](const std::string& kind, py::object callable, py::object dumped, py::object otherwise) {
                 return function_view(kind_named(kind), std::move(callable), std::move(dumped), std::move(otherwise));
             }),
             py::arg("kind"), py::arg("callable"), py::arg("dumped"), py::arg("otherwise") = py::none());
    define_jobs(module);
    py::class_<queue_view>(module, "JobQueue", "The jobs of one executor and its workers.")
        .def(py::init<const std::string&, int, double, const function_view*, const py::tuple&, const std::string&,
                      const std::string&, int>(),
             py::arg("kind"), py::arg("workers"), py::arg("sample_hz"), py::arg("initial").none(true),
             py::arg("initial_arguments"), py::kw_only(), py::arg("gil") = "own",
             py::arg("start_method") = "forkserver", py::arg("calls_each") = 0)
        .def("submit", &queue_view::submit)
        .def("submit_all", &queue_view::submit_all)
        .def("close", &queue_view::close)
        .def("cancel_all", &queue_view::cancel_all)
        .def("kill_workers", &queue_view::kill_workers)
        .def("stop_running", &queue_view::stop_running, "Interrupts what runs, then ends it. False: some goes on.")
        .def("wait", &queue_view::wait, py::arg("timeout") = py::none())
        .def("report", &queue_view::report)
        .def_property_readonly("closed", &queue_view::closed)
        .def_property_readonly("broken", &queue_view::broken);
    module.def("drain", &drain, "Closes all queues and waits until their jobs are done.");
    module.def("stop_running", [] { return stop_running(open_queues()); }, "The same for all queues.");
}

} // namespace xcores::python
