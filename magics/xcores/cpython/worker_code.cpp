// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/cpython/worker_code.hpp>

#include <array>

#include <marshal.h>

#include <xcores/cpython/buffers.hpp>
#include <xcores/cpython/item_functions.hpp>

namespace xcores::cpython {
namespace {

object attribute(PyObject* owner, const char* name) {
    return checked(PyObject_GetAttrString(owner, name));
}

run::nanoseconds time_of(PyObject* owner, const char* name) {
    const auto number = PyLong_AsLongLong(attribute(owner, name).get());
    if (PyErr_Occurred())
        throw_current();
    return run::nanoseconds{number};
}

std::string text_at(PyObject* tuple, Py_ssize_t at) {
    return text_of(PyTuple_GET_ITEM(tuple, at));
}

model::outcome_kind outcome_named(const std::string& name) {
    using enum model::outcome_kind;
    for (const auto kind : {returned, raised, exited, interrupted, failed})
        if (name == model::name_of(kind))
            return kind;
    throw error("collect() gave an unknown outcome: " + name);
}

model::outcome failure(std::string message) {
    return {model::outcome_kind::failed, {}, std::move(message), {}, std::nullopt, false};
}

} // namespace

worker_code::worker_code(object module)
    : module_(std::move(module)), prepare_(attribute(module_.get(), "prepare")),
      adopt_(attribute(module_.get(), "adopt")), forget_(attribute(module_.get(), "forget")),
      execute_(attribute(module_.get(), "execute")), collect_(attribute(module_.get(), "collect")) {}

worker_code worker_code::imported() {
    return worker_code(checked(PyImport_ImportModule("xcores._worker")));
}

worker_code worker_code::unmarshalled(const std::string& codes, const char* kind, writer write) {
    add_output_module(std::move(write));
    auto module = checked(PyImport_AddModuleRef("xcores_worker"));
    PyObject* names = PyModule_GetDict(module.get());
    if (PyDict_SetItemString(names, "__builtins__", PyEval_GetBuiltins()) != 0)
        throw_current();
    const auto all = checked(PyMarshal_ReadObjectFromString(codes.data(), static_cast<Py_ssize_t>(codes.size())));
    if (!PyTuple_Check(all.get()))
        throw error("the code of a worker must be a tuple");
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(all.get()); ++i)
        checked(PyEval_EvalCode(PyTuple_GET_ITEM(all.get(), i), names, names));
    checked(PyObject_CallMethod(module.get(), "setup", "s", kind));
    return worker_code(std::move(module));
}

void worker_code::prepare(const run::task& what) {
    forget();
    failure_.clear();
    interrupted_ = false;
    import_time_ = {};
    const auto& input = *what.input;
    const auto data = checked(PyBytes_FromStringAndSize(input.data.data(), static_cast<Py_ssize_t>(input.data.size())));
    const auto buffers = checked(PyTuple_New(static_cast<Py_ssize_t>(input.buffers.size())));
    for (std::size_t i = 0; i < input.buffers.size(); ++i)
        PyTuple_SET_ITEM(buffers.get(), static_cast<Py_ssize_t>(i), view_of(input.buffers[i]).release());
    const auto feed = what.items ? item_functions(what.items) : object(Py_NewRef(Py_None));
    job_ = checked(PyObject_CallFunction(prepare_.get(), "OOiiO", data.get(), buffers.get(), what.index, what.workers,
                                         feed.get()));
    import_time_ = time_of(job_.get(), "import_ns");
}

void worker_code::adopt(const run::task& what) {
    import_time_ = {};
    const auto feed = what.items ? item_functions(what.items) : object(Py_NewRef(Py_None));
    checked(PyObject_CallFunction(adopt_.get(), "OiiO", job_.get(), what.index, what.workers, feed.get()));
}

bool worker_code::may_be_copied() {
    const auto told = checked(PyObject_CallMethod(module_.get(), "may_be_copied", nullptr));
    return told.get() == Py_True;
}

void worker_code::after_fork() noexcept {
    call("reseed_after_fork");
}

void worker_code::before_end() noexcept {
    call("let_go_of_filters");
}

void worker_code::call(const char* function) noexcept {
    if (const object done(PyObject_CallMethod(module_.get(), function, nullptr)); !done)
        PyErr_WriteUnraisable(module_.get());
}

void worker_code::forget() noexcept {
    if (!job_)
        return;
    if (const object done(PyObject_CallOneArg(forget_.get(), job_.get())); !done)
        PyErr_WriteUnraisable(forget_.get());
    job_.reset();
}

void worker_code::execute() noexcept {
    const object done(PyObject_CallOneArg(execute_.get(), job_.get()));
    if (!done) {
        interrupted_ = PyErr_ExceptionMatches(PyExc_KeyboardInterrupt) != 0;
        failure_ = take_current();
    }
}

run::reply worker_code::collect() noexcept {
    run::reply answer;
    try {
        if (failure_.empty())
            answer = reply_from(checked(PyObject_CallOneArg(collect_.get(), job_.get())).get());
        else if (interrupted_)
            answer.how = {model::outcome_kind::interrupted, {}, "KeyboardInterrupt", {}, std::nullopt, false};
        else
            answer.how = failure(failure_);
    } catch (const std::exception& problem) {
        answer = {};
        answer.how = failure(problem.what());
    }
    job_.reset();
    return answer;
}

job_code worker_code::for_jobs() {
    checked(PyObject_CallMethod(module_.get(), "begin_jobs", nullptr));
    return job_code(module_.get());
}

run::reply worker_code::reply_from(PyObject* collected) {
    constexpr Py_ssize_t fields = 8;
    if (!PyTuple_Check(collected) || PyTuple_GET_SIZE(collected) != fields)
        throw error("collect() must give a tuple of 8");
    run::reply answer;
    answer.how.kind = outcome_named(text_at(collected, 0));
    answer.how.type = text_at(collected, 1);
    answer.how.message = text_at(collected, 2);
    answer.how.traceback = text_at(collected, 3);
    if (PyObject* code = PyTuple_GET_ITEM(collected, 4); code != Py_None)
        answer.how.code = static_cast<int>(PyLong_AsLong(code));
    answer.summary = text_at(collected, 5);
    char* bytes = nullptr;
    Py_ssize_t size = 0;
    if (PyBytes_AsStringAndSize(PyTuple_GET_ITEM(collected, 6), &bytes, &size) != 0)
        throw_current();
    answer.output.data.assign(bytes, static_cast<std::size_t>(size));
    const auto buffers = checked(PySequence_Fast(PyTuple_GET_ITEM(collected, 7), "buffers must be a sequence"));
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(buffers.get()); ++i)
        answer.output.buffers.push_back(buffer_of(PySequence_Fast_GET_ITEM(buffers.get(), i), loan::given));
    if (PyErr_Occurred())
        throw_current();
    return answer;
}

} // namespace xcores::cpython
