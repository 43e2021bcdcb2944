// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <memory>
#include <optional>

#include <pybind11/pybind11.h>

#include <xcores/cpython/held.hpp>
#include <xcores/cpython/object.hpp>
#include <xcores/run/job_queue.hpp>

#include "bindings.hpp"
#include "notice_board.hpp"

/// What the views of jobs and of queues share.
/// GIL: held. Failure: pybind11::error_already_set.
namespace xcores::python {

/// Python functions that jobs need; set once by `xcores.executors`, and never let go.
struct job_helpers {
    PyObject* dumped = nullptr; ///< by the kind of worker
    PyObject* loaded = nullptr;
    PyObject* failure = nullptr;
    PyObject* cancelled = nullptr; ///< the class CancelledError
};
job_helpers& helpers();

/// Where watched futures and the output of jobs are noted.
notice_board& notices();
void forget_notices(); ///< in the child of a fork: its lock may be held for ever

inline cpython::object owned(py::object value) {
    return cpython::object(value.release().ptr());
}

inline py::object given(cpython::object value) {
    if (!value)
        throw py::error_already_set();
    return py::reinterpret_steal<py::object>(value.release());
}

/// The end of one job, as Python objects.
class job_view {
public:
    /// `by_reference`: its worker shares our objects.
    job_view(std::shared_ptr<run::job> job, const std::shared_ptr<run::job_queue>& queue, bool by_reference)
        : job_(std::move(job)), queue_(queue), by_reference_(by_reference) {}

    std::size_t size() const { return job_->size(); }
    bool cancel();
    bool cancelled() const { return job_->now() == run::job::state::cancelled; }
    bool running() const { return job_->now() == run::job::state::running; }
    bool done() const { return over(job_->now()); }

    py::object result(std::optional<double> timeout);
    py::object exception(std::optional<double> timeout);

    /// Of a job of many items: the results from item `first` on, and the exception that follows them or None.
    py::tuple results(std::size_t first, std::optional<double> timeout);

    void watch(py::object future);

private:
    static bool over(run::job::state state) {
        return state == run::job::state::ended || state == run::job::state::cancelled;
    }
    void wait(std::size_t first, std::optional<double> timeout);
    template <typename Waiting>
    bool interrupted_with_us(Waiting&& waiting);
    void await_gil() const;
    void fetch(std::optional<double> timeout);
    py::object first_of(const run::answer&);
    py::list values_of(const run::answer&);
    py::object error_of(const run::answer&);

    std::shared_ptr<run::job> job_;
    std::weak_ptr<run::job_queue> queue_;
    bool by_reference_;
    py::object value_;
    py::object error_;
};

/// `_engine.Job`, and the functions for notices.
void define_jobs(py::module_&);

} // namespace xcores::python
