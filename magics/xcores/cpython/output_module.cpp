// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/cpython/output_module.hpp>

#include <xcores/cpython/thread_state.hpp>

namespace xcores::cpython {
namespace {

constexpr const char* writer_key = "xcores.writer";

PyObject* write_text(PyObject* self, PyObject* const* arguments, Py_ssize_t count) {
    if (count != 2 || !PyUnicode_Check(arguments[1])) {
        PyErr_SetString(PyExc_TypeError, "write(stream: int, text: str)");
        return nullptr;
    }
    const long stream = PyLong_AsLong(arguments[0]);
    if (stream == -1 && PyErr_Occurred())
        return nullptr;
    const auto* target = static_cast<const writer*>(PyCapsule_GetPointer(self, writer_key));
    if (!target)
        return nullptr;
    std::string text;
    try {
        text = text_of(arguments[1]);
    } catch (const error& failure) {
        PyErr_SetString(PyExc_ValueError, failure.what());
        return nullptr;
    }
    {
        const released let_go;
        (*target)(stream == 2 ? run::stream::standard_error : run::stream::standard_output, text);
    }
    Py_RETURN_NONE;
}

PyMethodDef write_method = {"write", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(write_text)), METH_FASTCALL,
                            "write(stream, text): to the output of this worker's cell; stream 1 is stdout, 2 stderr"};

} // namespace

void add_output_module(const writer* write) {
    const auto capsule = checked(PyCapsule_New(const_cast<writer*>(write), writer_key, nullptr));
    const auto name = checked(PyUnicode_FromString("_xcores"));
    const auto module = checked(PyModule_NewObject(name.get()));
    const auto function = checked(PyCFunction_NewEx(&write_method, capsule.get(), name.get()));
    if (PyModule_AddObjectRef(module.get(), "write", function.get()) != 0)
        throw_current();
    PyObject* modules = PyImport_GetModuleDict(); // borrowed
    if (PyDict_SetItem(modules, name.get(), module.get()) != 0)
        throw_current();
}

} // namespace xcores::cpython
