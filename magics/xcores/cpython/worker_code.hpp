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

    /// In a module of its own, with the builtin module `_xcores` beside it. `codes` is a marshalled tuple of the code
    /// objects that make the module, in order: compiling their text would take an interpreter 0.8 MB more. Calls
    /// setup(kind).
    static worker_code unmarshalled(const std::string& codes, const char* kind, writer write);

    void prepare(const run::task&);
    /// How much of the latest prepare() or adopt() was spent on importing modules.
    run::nanoseconds import_time() const noexcept { return import_time_; }
    /// The task for which prepare() was called before, maybe for another worker, in a process that this one is a copy
    /// of.
    void adopt(const run::task&);
    /// Whether what has been imported here may go on in copies of this process.
    bool may_be_copied();
    /// This process is a copy of another one, in which this was made.
    void after_fork() noexcept;
    /// The interpreter, which is not the main one, is about to end.
    void before_end() noexcept;
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
    void call(const char* function) noexcept;
    object module_;
    object prepare_;
    object adopt_;
    object forget_;
    object execute_;
    object collect_;
    object job_;
    run::nanoseconds import_time_{};
    std::string failure_; ///< an exception that left `execute` itself
    bool interrupted_ = false;
};

} // namespace xcores::cpython
