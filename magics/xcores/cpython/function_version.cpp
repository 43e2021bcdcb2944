// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/cpython/function_version.hpp>

namespace xcores::cpython {
namespace {

PyObject* restore_version(PyObject*, PyObject* function) {
    if (!PyFunction_Check(function)) {
        PyErr_SetString(PyExc_TypeError, "restore_version(function)");
        return nullptr;
    }
    auto* made = reinterpret_cast<PyFunctionObject*>(function);
    made->func_version = reinterpret_cast<PyCodeObject*>(made->func_code)->co_version;
    Py_RETURN_NONE;
}

PyMethodDef method = {"restore_version", restore_version, METH_O,
                      "restore_version(function): lets CPython specialise calls to a function made from its parts"};

} // namespace

object restore_version_function() {
    return checked(PyCFunction_New(&method, nullptr));
}

} // namespace xcores::cpython
