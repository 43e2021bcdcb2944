// SPDX-License-Identifier: BSD-3-Clause
// The real executors, in an embedded Python, with the worker half of tests/programs/plain_worker.py.
#include <atomic>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include <Python.h>
#include <marshal.h>

#include <catch2/catch_session.hpp>

#include <xcores/cpython/held.hpp>
#include <xcores/cpython/job_values.hpp>
#include <xcores/cpython/plain_value.hpp>
#include <xcores/executors/forkserver.hpp>
#include <xcores/executors/in_process.hpp>
#include <xcores/executors/process.hpp>

#include "executor_under_test.hpp"
#include "worker_python.hpp"

namespace xcores::test {
namespace {

std::string worker_source() {
    std::ifstream file(XCORES_TEST_PROGRAMS "/plain_worker.py");
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

const std::string& worker_codes() {
    static const std::string kept = [] {
        const auto attached = PyGILState_Ensure();
        std::string made;
        {
            const auto code =
                cpython::checked(Py_CompileString(worker_source().c_str(), "plain_worker", Py_file_input));
            const auto all = cpython::checked(PyTuple_Pack(1, code.get()));
            const auto bytes = cpython::checked(PyMarshal_WriteObjectToString(all.get(), Py_MARSHAL_VERSION));
            made.assign(PyBytes_AS_STRING(bytes.get()), static_cast<std::size_t>(PyBytes_GET_SIZE(bytes.get())));
        }
        PyGILState_Release(attached);
        return made;
    }();
    return kept;
}

std::shared_ptr<run::pool> make_pool(const std::string& name) {
    if (name == "threads")
        return std::make_shared<run::pool>([] { return executors::make_thread_body(); });
    if (name == "subinterp" || name == "shared gil") {
        const auto gil = name == "subinterp" ? model::gil_choice::own : model::gil_choice::shared;
        return std::make_shared<run::pool>([gil] {
            return executors::make_subinterpreter_body(std::make_shared<const std::string>(worker_codes()), gil);
        });
    }
    const auto shared = worker_python();
    const auto source = name == "forkserver" ? executors::make_forkserver(shared) : nullptr;
    return std::make_shared<run::pool>([shared, source] { return executors::make_process_body(shared, source); });
}

/// Attached to the main interpreter for a scope, from any thread.
class in_main_interpreter {
public:
    in_main_interpreter() : state_(PyGILState_Ensure()) {}
    ~in_main_interpreter() { PyGILState_Release(state_); }

private:
    PyGILState_STATE state_;
};

/// As job_values.cpp writes it; plain_worker.py reads what is inside.
run::payload pickled(const std::string& text) {
    run::payload made{"P", {}};
    cpython::append_number(made.data, text.size());
    cpython::append_number(made.data, 0);
    made.data += text;
    return made;
}

PyObject* plain_worker() {
    return PyDict_GetItemString(PyImport_GetModuleDict(), "xcores._worker"); // borrowed
}

} // namespace

std::shared_ptr<const executors::python_description> worker_python() {
    executors::python_description python{XCORES_TEST_PYTHON, XCORES_TEST_MODULES, "/usr", "/usr", {}, worker_codes()};
    std::stringstream path(XCORES_TEST_PYTHON_PATH);
    for (std::string entry; std::getline(path, entry, ':');)
        python.path.push_back(entry);
    return std::make_shared<const executors::python_description>(std::move(python));
}

std::shared_ptr<const run::function> job_function(const executor_under_test& executor, const std::string& name) {
    static std::atomic<std::uint64_t> numbers = 0;
    run::function made{++numbers, {}};
    if (executor.kind == model::worker_kind::threads) {
        const in_main_interpreter inside;
        made.code.object =
            cpython::hold(cpython::checked(PyObject_CallMethod(plain_worker(), "function", "y()", name.c_str())));
    } else {
        made.code = pickled(name);
    }
    return std::make_shared<const run::function>(std::move(made));
}

run::payload job_input(const executor_under_test& executor, const std::string& argument) {
    if (executor.kind != model::worker_kind::threads)
        return pickled(argument);
    const in_main_interpreter inside;
    run::payload made;
    made.object = cpython::hold(cpython::checked(Py_BuildValue("(s)", argument.c_str())));
    return made;
}

std::vector<std::string> results_of(const executor_under_test& executor, const run::answer& given) {
    const in_main_interpreter inside;
    std::vector<std::string> texts;
    if (executor.kind == model::worker_kind::threads) {
        const auto list = cpython::held(given.results.object);
        for (Py_ssize_t i = 0; list && i < PyList_GET_SIZE(list.get()); ++i)
            texts.push_back(cpython::text_of(PyList_GET_ITEM(list.get(), i)));
        return texts;
    }
    for (cpython::value_reader reader(given.results, nullptr); !reader.at_end();)
        texts.push_back(cpython::text_of(reader.next().get()));
    return texts;
}

std::vector<std::string> executor_names() {
    return {"threads", "subinterp", "shared gil", "procs", "forkserver"};
}

executor_under_test make_executor(const std::string& name) {
    const auto kind = name == "threads"                             ? model::worker_kind::threads
                      : name == "subinterp" || name == "shared gil" ? model::worker_kind::subinterp
                                                                    : model::worker_kind::procs;
    return {name, kind, make_pool(name), kind == model::worker_kind::procs};
}

} // namespace xcores::test

int main(int argc, char** argv) {
    Py_InitializeEx(0);
    PyRun_SimpleString("import sys, types\n"
                       "module = types.ModuleType('xcores._worker')\n"
                       "sys.modules['xcores'] = types.ModuleType('xcores')\n"
                       "sys.modules['xcores._worker'] = module\n");
    // Threads of the main interpreter write through the engine, as the package's routing streams do.
    static PyMethodDef write = {"write",
                                [](PyObject*, PyObject* arguments) -> PyObject* {
                                    int stream = 0;
                                    const char* text = nullptr;
                                    if (!PyArg_ParseTuple(arguments, "is", &stream, &text))
                                        return nullptr;
                                    if (const auto& sink = xcores::executors::thread_output())
                                        sink(static_cast<xcores::run::stream>(stream), text);
                                    Py_RETURN_NONE;
                                },
                                METH_VARARGS, nullptr};
    PyObject* output = PyModule_New("_xcores");
    PyModule_AddObject(output, "write", PyCFunction_New(&write, nullptr));
    PyDict_SetItemString(PyImport_GetModuleDict(), "_xcores", output);
    const auto source = xcores::test::worker_source() + "\nsetup('threads')\n";
    PyObject* module = PyDict_GetItemString(PyImport_GetModuleDict(), "xcores._worker");
    PyObject* names = PyModule_GetDict(module);
    if (!PyRun_String(source.c_str(), Py_file_input, names, names)) {
        PyErr_Print();
        return 2;
    }
    PyEval_SaveThread();
    const int result = Catch::Session().run(argc, argv);
    std::fflush(nullptr);
    std::_Exit(result); // abandoned workers still run: there is nothing to finalise safely
}
