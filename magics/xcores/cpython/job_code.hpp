// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <map>

#include <xcores/cpython/object.hpp>
#include <xcores/run/job.hpp>

namespace xcores::cpython {

/// Answers calls with the very objects of the caller, which lives in the same interpreter: the object of each input is
/// a tuple of arguments, or a list of that and a dictionary of named ones. GIL: attached. Failure: in the answer.
run::answer call_by_reference(const run::function&, const std::vector<run::payload>& inputs) noexcept;

/// Answers calls in an interpreter that shares no objects with the caller: functions, arguments and results are sent.
///
/// - GIL: every member is called attached to the interpreter it was made in, its destructor included.
/// - Failure: in the answer; the constructor throws error.
class job_code {
public:
    /// `module`: the worker's, with the functions of `_calls.py`.
    explicit job_code(PyObject* module);

    run::answer call(const run::function&, const std::vector<run::payload>& inputs) noexcept;

    /// Who keeps in mind which functions were sent has them forgotten after so many; else that happens by itself later.
    void forget() noexcept { functions_.clear(); }
    static constexpr std::size_t capacity = 256;

private:
    PyObject* known(const run::function&);
    object loaded_otherwise(const run::function&) const;
    std::string module_refused(PyObject* problem) const;
    void describe_failure(run::answer&) noexcept;

    object enter_;
    object loaded_;
    object dumped_;      ///< for results that others follow
    object dumped_last_; ///< for the last one of an answer
    object failure_;
    object refused_module_; ///< null: functions come in one form only
    std::map<std::uint64_t, object> functions_;
};

} // namespace xcores::cpython
