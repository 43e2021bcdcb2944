// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/cpython/job_code.hpp>

#include <set>

#include <xcores/cpython/held.hpp>
#include <xcores/cpython/job_values.hpp>
#include <xcores/cpython/thread_state.hpp>

namespace xcores::cpython {
namespace {

object attribute(PyObject* owner, const char* name) {
    return checked(PyObject_GetAttrString(owner, name));
}

model::outcome of_kind(model::outcome_kind kind, std::string message = {}) {
    return {kind, {}, std::move(message), {}, std::nullopt, false};
}

/// Arguments are a tuple, or, where some have names, a list of a tuple and a dictionary.
object call_with_objects(PyObject* callable, PyObject* arguments) {
    if (PyTuple_Check(arguments))
        return object(PyObject_Call(callable, arguments, nullptr));
    return object(PyObject_Call(callable, PyList_GET_ITEM(arguments, 0), PyList_GET_ITEM(arguments, 1)));
}

std::string text_of_exception(PyObject* problem) {
    const object text(PyObject_Str(problem));
    if (text)
        return text_of(text.get());
    PyErr_Clear();
    return {};
}

} // namespace

run::answer call_by_reference(const run::function& what, const std::vector<run::payload>& inputs) noexcept {
    run::answer given{0, {}, of_kind(model::outcome_kind::returned), {}};
    const auto callable = held(what.code.object);
    object results(PyList_New(0));
    for (const auto& input : inputs) {
        const auto result = call_with_objects(callable.get(), static_cast<PyObject*>(input.object.get()));
        if (!result || !results || PyList_Append(results.get(), result.get()) != 0) {
            object problem(PyErr_GetRaisedException());
            given.how = of_kind(model::outcome_kind::raised, text_of_exception(problem.get()));
            given.how.type = Py_TYPE(problem.get())->tp_name;
            given.error.object = hold(std::move(problem));
            break;
        }
        ++given.done;
    }
    given.results.object = hold(std::move(results));
    return given;
}

job_code::job_code(PyObject* module)
    : enter_(attribute(module, "function")), loaded_(attribute(module, "loaded")),
      dumped_(attribute(module, "dumped_result")), dumped_last_(attribute(module, "dumped_last")),
      failure_(attribute(module, "failure")) {
    PyObject* refused_module = nullptr;
    if (PyObject_GetOptionalAttrString(module, "refused_module", &refused_module) < 0)
        throw_current();
    refused_module_ = object(refused_module);
}

// The module that could not be imported; empty: something else was the cause.
std::string job_code::module_refused(PyObject* problem) const {
    if (!refused_module_)
        return {};
    const object name(PyObject_CallOneArg(refused_module_.get(), problem));
    if (name)
        return text_of(name.get());
    PyErr_Clear();
    return {};
}

// The function in another form, where a module that it refers to cannot be imported here: with what it needs of that
// module instead. Null, with a Python exception set, when that is no way either.
object job_code::loaded_otherwise(const run::function& what) const {
    std::set<std::string> refused;
    for (;;) {
        object problem(PyErr_GetRaisedException());
        const auto module = what.otherwise ? module_refused(problem.get()) : std::string();
        std::shared_ptr<const run::payload> code;
        if (!module.empty() && refused.insert(module).second) {
            const released let_go;
            code = what.otherwise(module);
        }
        if (!code) {
            PyErr_SetRaisedException(problem.release());
            return {};
        }
        if (auto callable = value_reader(*code, enter_.get()).next())
            return callable;
    }
}

// Null, with a Python exception set, when the function cannot be rebuilt here.
PyObject* job_code::known(const run::function& what) {
    if (const auto found = functions_.find(what.number); found != functions_.end())
        return found->second.get();
    value_reader reader(what.code, enter_.get());
    auto callable = reader.next();
    if (!callable)
        callable = loaded_otherwise(what);
    if (!callable)
        return nullptr;
    if (functions_.size() > capacity)
        forget();
    return functions_.emplace(what.number, std::move(callable)).first->second.get();
}

run::answer job_code::call(const run::function& what, const std::vector<run::payload>& inputs) noexcept {
    run::answer given{0, {}, of_kind(model::outcome_kind::returned), {}};
    try {
        auto* callable = known(what);
        for (const auto& input : inputs) {
            const auto result = callable ? call_with(callable, input, loaded_.get()) : object();
            const auto& dumped = given.done + 1 < inputs.size() ? dumped_ : dumped_last_;
            if (!result || !append_value(given.results, result.get(), dumped.get(), loan::given)) {
                describe_failure(given);
                break;
            }
            ++given.done;
        }
    } catch (const std::exception& problem) {
        given.how = of_kind(model::outcome_kind::failed, problem.what());
    }
    return given;
}

void job_code::describe_failure(run::answer& given) noexcept {
    try {
        const object problem(PyErr_GetRaisedException());
        const auto told = checked(PyObject_CallOneArg(failure_.get(), problem.get()));
        given.how = of_kind(model::outcome_kind::raised, text_of(PyTuple_GetItem(told.get(), 1)));
        given.how.type = text_of(PyTuple_GetItem(told.get(), 0));
        given.how.traceback = text_of(PyTuple_GetItem(told.get(), 2));
        auto* error = PyTuple_GetItem(told.get(), 3);
        if (error != Py_None && !append_value(given.error, error, dumped_last_.get(), loan::given)) {
            PyErr_Clear(); // the caller then makes an exception of its own from the texts
            given.error = {};
        }
    } catch (const std::exception& other) {
        given.how = of_kind(model::outcome_kind::failed, other.what());
    }
}

} // namespace xcores::cpython
