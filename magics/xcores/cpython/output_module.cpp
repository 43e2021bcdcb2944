// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/cpython/output_module.hpp>

#include <array>
#include <memory>
#include <string>
#include <utility>

#include <xcores/cpython/function_version.hpp>
#include <xcores/cpython/thread_state.hpp>

namespace xcores::cpython {
namespace {

constexpr const char* writer_key = "xcores.writer";

/// Failure: null, with a Python exception set.
PyObject* write_to(PyObject* self, PyObject* number, const std::string& text) {
    const long stream = PyLong_AsLong(number);
    if (stream == -1 && PyErr_Occurred())
        return nullptr;
    const auto* target = static_cast<const writer*>(PyCapsule_GetPointer(self, writer_key));
    if (!target)
        return nullptr;
    {
        const released let_go;
        (*target)(stream == 2 ? run::stream::standard_error : run::stream::standard_output, text);
    }
    Py_RETURN_NONE;
}

PyObject* write_text(PyObject* self, PyObject* const* arguments, Py_ssize_t count) {
    if (count != 2 || !PyUnicode_Check(arguments[1])) {
        PyErr_SetString(PyExc_TypeError, "write(stream: int, text: str)");
        return nullptr;
    }
    if (PyUnicode_GET_LENGTH(arguments[1]) == 0)
        Py_RETURN_NONE;
    std::string text;
    try {
        text = text_of(arguments[1]);
    } catch (const error& failure) {
        PyErr_SetString(PyExc_ValueError, failure.what());
        return nullptr;
    }
    return write_to(self, arguments[0], text);
}

PyObject* flush(PyObject* self, PyObject* number) {
    return write_to(self, number, {});
}

void destroy(PyObject* capsule) {
    delete static_cast<writer*>(PyCapsule_GetPointer(capsule, writer_key));
}

std::array<PyMethodDef, 2> methods{
    {{"write", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(write_text)), METH_FASTCALL,
      "write(stream, text): to the output of this worker's cell; stream 1 is stdout, 2 stderr"},
     {"flush", flush, METH_O, "flush(stream): shows what was written, also a line that has no end yet"}}};

} // namespace

void add_output_module(writer write) {
    auto kept = std::make_unique<writer>(std::move(write));
    const auto capsule = checked(PyCapsule_New(kept.get(), writer_key, destroy));
    static_cast<void>(kept.release());
    const auto name = checked(PyUnicode_FromString("_xcores"));
    const auto module = checked(PyModule_NewObject(name.get()));
    for (auto& method : methods) {
        const auto function = checked(PyCFunction_NewEx(&method, capsule.get(), name.get()));
        if (PyModule_AddObjectRef(module.get(), method.ml_name, function.get()) != 0)
            throw_current();
    }
    const auto restore = restore_version_function();
    if (PyModule_AddObjectRef(module.get(), "restore_version", restore.get()) != 0)
        throw_current();
    PyObject* modules = PyImport_GetModuleDict(); // borrowed
    if (PyDict_SetItem(modules, name.get(), module.get()) != 0)
        throw_current();
}

} // namespace xcores::cpython
