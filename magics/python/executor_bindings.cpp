// SPDX-License-Identifier: BSD-3-Clause
// The hot half of `xcores.executors`: jobs go in, results come out, with as little Python between as possible.
#include <atomic>
#include <mutex>
#include <vector>

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <xcores/cpython/buffers.hpp>
#include <xcores/cpython/gil_access.h>
#include <xcores/cpython/held.hpp>
#include <xcores/cpython/job_values.hpp>
#include <xcores/os/clock.hpp>
#include <xcores/run/lookout.hpp>

#include "bindings.hpp"
#include "conversions.hpp"
#include "notice_board.hpp"

namespace xcores::python {
namespace {

using cpython::held;
using cpython::hold;
using std::chrono::nanoseconds;

/// Python functions that jobs need; set once by `xcores.executors`, and never let go.
struct {
    PyObject* dumped = nullptr; ///< by the kind of worker
    PyObject* loaded = nullptr;
    PyObject* failure = nullptr;
    PyObject* cancelled = nullptr; ///< the class CancelledError
} helpers;

cpython::object owned(py::object value) {
    return cpython::object(value.release().ptr());
}

py::object given(cpython::object value) {
    if (!value)
        throw py::error_already_set();
    return py::reinterpret_steal<py::object>(value.release());
}

void check(bool done) {
    if (!done)
        throw py::error_already_set();
}

/// Waits without the GIL; `wait(nanoseconds)` tells whether a signal came. False when the time is over.
template <typename Wait>
bool wait_for(std::optional<double> timeout, Wait&& wait) {
    const auto until = timeout ? os::now() + seconds(*timeout) : os::now() + os::for_ever;
    for (;;) {
        const auto how = [&] {
            const py::gil_scoped_release let_go;
            return wait(until - os::now());
        }();
        if (how != os::futex::wake::signalled)
            return how == os::futex::wake::woken;
        if (PyErr_CheckSignals() != 0)
            throw py::error_already_set();
    }
}

notice_board& notices() {
    static auto* board = new notice_board; // workers left behind may still write
    return *board;
}

/// Every queue that may still have workers.
class open_queues {
public:
    void add(const std::shared_ptr<run::job_queue>& one) {
        const std::lock_guard lock(mutex_);
        std::erase_if(queues_, [](const auto& other) { return other.expired(); });
        queues_.push_back(one);
    }
    std::vector<std::shared_ptr<run::job_queue>> all() {
        const std::lock_guard lock(mutex_);
        std::vector<std::shared_ptr<run::job_queue>> alive;
        for (const auto& one : queues_)
            if (auto queue = one.lock())
                alive.push_back(std::move(queue));
        return alive;
    }

private:
    std::mutex mutex_;
    std::vector<std::weak_ptr<run::job_queue>> queues_;
};

open_queues& queues() {
    static auto* all = new open_queues;
    return *all;
}

class function_view {
public:
    function_view(model::worker_kind kind, py::object callable, py::object dumped) {
        static std::atomic<std::uint64_t> numbers = 0;
        auto made = std::make_shared<run::function>();
        made->number = ++numbers;
        if (kind == model::worker_kind::threads)
            made->code.object = hold(owned(std::move(callable)));
        else
            check(cpython::append_value(made->code, callable.ptr(), dumped.ptr()));
        value = std::move(made);
    }
    std::shared_ptr<const run::function> value;
};

/// The end of one job, as Python objects.
class job_view {
public:
    job_view(std::shared_ptr<run::job> job, bool by_reference) : job_(std::move(job)), by_reference_(by_reference) {}

    std::size_t size() const { return job_->size(); }
    bool cancel() {
        const bool done = job_->cancel();
        cpython::release_held();
        return done;
    }
    bool cancelled() const { return job_->now() == run::job::state::cancelled; }
    bool running() const { return job_->now() == run::job::state::running; }
    bool done() const { return over(job_->now()); }

    py::object result(std::optional<double> timeout) {
        fetch(timeout);
        if (error_) {
            PyErr_SetRaisedException(error_.inc_ref().ptr());
            throw py::error_already_set();
        }
        return value_;
    }
    py::object exception(std::optional<double> timeout) {
        fetch(timeout);
        return error_ ? error_ : py::none();
    }

    /// Of a job of many items: the results from item `first` on, and the exception that follows them or None.
    py::tuple results(std::size_t first, std::optional<double> timeout) {
        wait(first, timeout);
        const auto answer = job_->find(first);
        if (!answer) {
            PyErr_SetNone(helpers.cancelled);
            throw py::error_already_set();
        }
        job_->forget(first);
        auto values = values_of(*answer);
        return py::make_tuple(values, error_of(*answer));
    }

    void watch(py::object future) {
        job_->when_over([kept = hold(owned(std::move(future)))]() mutable { notices().put(std::move(kept)); });
    }

private:
    static bool over(run::job::state state) {
        return state == run::job::state::ended || state == run::job::state::cancelled;
    }

    void wait(std::size_t first, std::optional<double> timeout) {
        if (over(job_->now()) || job_->find(first))
            return;
        const auto in_time = wait_for(timeout, [&](nanoseconds time) {
            const auto how = job_->wait(first, time);
            await_gil();
            return how;
        });
        cpython::release_held();
        if (in_time || over(job_->now()))
            return;
        PyErr_SetNone(PyExc_TimeoutError);
        throw py::error_already_set();
    }

    /// The worker that has just answered is about to let our GIL go: who sleeps on it is woken late.
    void await_gil() const {
        static const void* gil = xcores_gil_of(PyInterpreterState_Main());
        static run::lookout free_gil;
        if (by_reference_)
            free_gil.look_while([] { return xcores_gil_is_held(gil) != 0; });
    }

    void fetch(std::optional<double> timeout) {
        if (value_ || error_)
            return;
        wait(0, timeout);
        const auto answer = job_->find(0);
        if (!answer && (value_ || error_)) // another thread was faster
            return;
        if (!answer) {
            PyErr_SetNone(helpers.cancelled);
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

    py::object first_of(const run::answer& answer) {
        if (by_reference_)
            return py::reinterpret_borrow<py::object>(
                PyList_GET_ITEM(static_cast<PyObject*>(answer.results.object.get()), 0));
        return given(cpython::value_reader(answer.results, helpers.loaded).next());
    }

    py::list values_of(const run::answer& answer) {
        if (by_reference_ && answer.results.object)
            return given(held(answer.results.object));
        py::list values;
        for (cpython::value_reader reader(answer.results, helpers.loaded); !reader.at_end();)
            values.append(given(reader.next()));
        return values;
    }

    py::object error_of(const run::answer& answer) {
        const auto& how = answer.how;
        if (how.kind == model::outcome_kind::returned)
            return py::none();
        if (answer.error.object)
            return given(held(answer.error.object));
        py::object original = py::none();
        if (!answer.error.data.empty()) {
            auto made = cpython::value_reader(answer.error, helpers.loaded).next();
            if (made)
                original = given(std::move(made));
            else
                PyErr_Clear(); // it cannot be rebuilt here: the texts stand for it
        }
        return py::reinterpret_borrow<py::object>(helpers.failure)(std::string(model::name_of(how.kind)), how.type,
                                                                   how.message, how.traceback, original);
    }

    std::shared_ptr<run::job> job_;
    const bool by_reference_;
    py::object value_;
    py::object error_;
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
               const py::tuple& initial_arguments, const std::string& gil, const std::string& start_method) {
        run::queue_plan plan;
        plan.kind = kind_named(kind);
        plan.gil = gil_named(gil);
        plan.start = start_method_named(start_method);
        if (plan.kind != model::worker_kind::threads)
            dumped_ = py::reinterpret_borrow<py::dict>(helpers.dumped)[py::str(kind)].ptr();
        plan.workers = workers;
        plan.sample_period = sample_hz > 0 ? seconds(1 / sample_hz) : nanoseconds{0};
        if (initial) {
            plan.initial = initial->value;
            plan.initial_input = arguments(initial_arguments, {}, dumped_);
        }
        if (dumped_)
            plan.output = [](run::stream from, std::string_view text) { notices().put({from, std::string(text)}); };
        queue_ = configured_engine().open_queue(std::move(plan));
        queues().add(queue_);
    }
    ~queue_view() {
        if (queue_)
            queue_->close();
    }
    queue_view(queue_view&&) noexcept = default;

    job_view submit(const function_view& what, const py::tuple& positional, const py::dict& named) {
        cpython::release_buffers();
        std::vector<run::payload> items;
        items.push_back(arguments(positional, named, dumped_));
        return put(what, std::move(items));
    }
    /// None when there is no item.
    std::optional<job_view> submit_all(const function_view& what, const py::iterable& arguments_of_each,
                                       std::size_t share) {
        cpython::release_buffers();
        std::vector<run::payload> items;
        const py::dict none;
        for (const auto& one : arguments_of_each)
            items.push_back(arguments(py::reinterpret_borrow<py::tuple>(one), none, dumped_));
        return items.empty() ? std::nullopt : std::optional(put(what, std::move(items), share));
    }
    void close() { queue_->close(); }
    void cancel_all() {
        queue_->cancel_all();
        cpython::release_held();
    }
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
    job_view put(const function_view& what, std::vector<run::payload> items, std::size_t share = 0) {
        auto job = std::make_shared<run::job>(what.value, std::move(items), share);
        queue_->put(job);
        return {std::move(job), dumped_ == nullptr};
    }
    std::shared_ptr<run::job_queue> queue_;
    PyObject* dumped_ = nullptr; ///< borrowed from helpers
};

py::list take_output() {
    py::list chunks;
    for (const auto& [from, text] : notices().take_output())
        chunks.append(
            py::make_tuple(static_cast<int>(from), py::reinterpret_steal<py::str>(PyUnicode_DecodeUTF8(
                                                       text.data(), static_cast<Py_ssize_t>(text.size()), "replace"))));
    return chunks;
}

py::list take_over() {
    py::list futures;
    for (const auto& one : notices().take_over())
        futures.append(given(held(one)));
    return futures;
}

void drain() {
    const auto open = queues().all();
    for (const auto& one : open)
        one->close();
    for (const auto& one : open)
        wait_for({}, [&](nanoseconds time) { return one->wait(time); });
}

} // namespace

void define_executors(py::module_& module) {
    py::register_exception_translator([](std::exception_ptr problem) {
        try {
            std::rethrow_exception(problem);
        } catch (const run::queue_refused& refused) {
            PyErr_SetString(PyExc_RuntimeError, refused.what());
        }
    });
    py::class_<function_view>(module, "Function", "A function that jobs of one kind of worker call.")
        .def(py::init([](const std::string& kind, py::object callable, py::object dumped) {
                 return function_view(kind_named(kind), std::move(callable), std::move(dumped));
             }),
             py::arg("kind"), py::arg("callable"), py::arg("dumped"));
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
    py::class_<queue_view>(module, "JobQueue", "The jobs of one executor and its workers.")
        .def(py::init<const std::string&, int, double, const function_view*, const py::tuple&, const std::string&,
                      const std::string&>(),
             py::arg("kind"), py::arg("workers"), py::arg("sample_hz"), py::arg("initial").none(true),
             py::arg("initial_arguments"), py::kw_only(), py::arg("gil") = "own",
             py::arg("start_method") = "forkserver")
        .def("submit", &queue_view::submit)
        .def("submit_all", &queue_view::submit_all)
        .def("close", &queue_view::close)
        .def("cancel_all", &queue_view::cancel_all)
        .def("wait", &queue_view::wait, timeout)
        .def("report", &queue_view::report)
        .def_property_readonly("closed", &queue_view::closed)
        .def_property_readonly("broken", &queue_view::broken);
    module.def("wait_for_notices", [] {
        const py::gil_scoped_release let_go;
        return notices().wait();
    });
    module.def("has_output", [] { return notices().has_output(); });
    module.def("take_output", &take_output, "What jobs have printed: a list of (stream, text).");
    module.def("take_over", &take_over, "Futures that are watched and over.");
    module.def("drain", &drain, "Closes all queues and waits until their jobs are done.");
    module.def("close_notices", [] { notices().close(); });
    module.def(
        "set_job_helpers",
        [](py::dict dumped, py::object loaded, py::object failure, py::object cancelled) {
            helpers = {dumped.release().ptr(), loaded.release().ptr(), failure.release().ptr(),
                       cancelled.release().ptr()};
        },
        py::arg("dumped"), py::arg("loaded"), py::arg("failure"), py::arg("cancelled"));
}

} // namespace xcores::python
