// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/cpython/object.hpp>

namespace xcores::cpython {

std::string text_of(PyObject* string) {
    const object bytes(PyUnicode_AsEncodedString(string, "utf-8", "replace"));
    if (!bytes)
        throw_current();
    return {PyBytes_AS_STRING(bytes.get()), static_cast<std::size_t>(PyBytes_GET_SIZE(bytes.get()))};
}

std::string take_current() {
    const object exception(PyErr_GetRaisedException());
    if (!exception)
        return {};
    std::string text = Py_TYPE(exception.get())->tp_name;
    const object message(PyObject_Str(exception.get()));
    if (!message) {
        PyErr_Clear();
        return text + ": <its text cannot be made>";
    }
    const object bytes(PyUnicode_AsEncodedString(message.get(), "utf-8", "replace"));
    if (!bytes)
        PyErr_Clear();
    else if (PyBytes_GET_SIZE(bytes.get()) > 0)
        text += std::string(": ") + PyBytes_AS_STRING(bytes.get());
    return text;
}

void throw_current() {
    throw error(take_current());
}

object checked(PyObject* owned) {
    if (!owned)
        throw_current();
    return object(owned);
}

} // namespace xcores::cpython
