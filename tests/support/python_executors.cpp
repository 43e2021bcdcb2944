// SPDX-License-Identifier: BSD-3-Clause
// The real executors, in an embedded Python, with the worker half of tests/programs/plain_worker.py.
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include <Python.h>
#include <catch2/catch_session.hpp>

#include <xcores/executors/forkserver.hpp>
#include <xcores/executors/in_process.hpp>
#include <xcores/executors/process.hpp>

#include "executor_under_test.hpp"

namespace xcores::test {
namespace {

std::string worker_source() {
    std::ifstream file(XCORES_TEST_PROGRAMS "/plain_worker.py");
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

std::shared_ptr<run::pool> make_pool(const std::string& name) {
    if (name == "threads")
        return std::make_shared<run::pool>([] { return executors::make_thread_body(); });
    if (name == "subinterp" || name == "shared gil") {
        const auto gil = name == "subinterp" ? model::gil_choice::own : model::gil_choice::shared;
        return std::make_shared<run::pool>([gil] {
            return executors::make_subinterpreter_body(std::make_shared<const std::string>(worker_source()), gil);
        });
    }
    executors::python_description python{XCORES_TEST_WORKER, XCORES_TEST_PYTHON, "/usr", "/usr", {}, worker_source()};
    std::stringstream path(XCORES_TEST_PYTHON_PATH);
    for (std::string entry; std::getline(path, entry, ':');)
        python.path.push_back(entry);
    const auto shared = std::make_shared<const executors::python_description>(std::move(python));
    const auto source = name == "forkserver" ? executors::make_forkserver(shared) : nullptr;
    return std::make_shared<run::pool>([shared, source] { return executors::make_process_body(shared, source); });
}

} // namespace

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
