// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>

#include <xcores/cpython/job_code.hpp>
#include <xcores/cpython/object.hpp>
#include <xcores/cpython/output_module.hpp>
#include <xcores/run/worker_body.hpp>

namespace xcores::cpython {

/// The Python half of a worker in one interpreter: the functions setup, prepare, execute and collect of `_worker.py`.
///
/// - GIL: every member is called attached to the interpreter it was made in, its destructor included.
/// - Failure: `error` with the Python exception's text.
class worker_code {
public:
    /// From the importable module `xcores._worker` (workers that are threads of the main interpreter).
    static worker_code imported();

    /// From source, in a module of its own, with the builtin module `_xcores` beside it. Calls setup(kind).
    static worker_code from_source(const std::string& source, const char* kind, const writer* write);

    void prepare(const run::task&);
    /// The task for which prepare() was called before, maybe for another worker, in a process that this one is a copy
    /// of.
    void adopt(const run::task&);
    void forget() noexcept;  ///< the task that was prepared
    void execute() noexcept; ///< a pending KeyboardInterrupt is raised in it, and none is left behind; what the cell
                             ///< raised is kept for collect()
    run::reply collect() noexcept;

    /// What collect() of `_worker.py` gives, a tuple, as a value.
    static run::reply reply_from(PyObject* collected);

    /// Makes ready for the jobs of one executor. Failure: error.
    job_code for_jobs();

private:
    explicit worker_code(object module);
    object module_;
    object prepare_;
    object adopt_;
    object forget_;
    object execute_;
    object collect_;
    object job_;
    std::string failure_; ///< an exception that left `execute` itself
    bool interrupted_ = false;
};

} // namespace xcores::cpython
