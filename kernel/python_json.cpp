// SPDX-License-Identifier: BSD-3-Clause
#include "python_json.hpp"

namespace xcores::kernel {

namespace py = pybind11;
namespace nl = nlohmann;

namespace {

/// Ends a structure that contains itself with RecursionError instead of a crash.
class recursion_guard {
public:
    recursion_guard() {
        if (Py_EnterRecursiveCall(" while making JSON") != 0) {
            throw py::error_already_set();
        }
    }
    ~recursion_guard() { Py_LeaveRecursiveCall(); }
    recursion_guard(recursion_guard const&) = delete;
    recursion_guard& operator=(recursion_guard const&) = delete;
};

nl::json integer(py::handle number) {
    int overflow = 0;
    long long const value = PyLong_AsLongLongAndOverflow(number.ptr(), &overflow);
    if (overflow == 0) {
        return value;
    }
    double const rounded = PyLong_AsDouble(number.ptr()); // JavaScript's numbers are no more exact
    if (PyErr_Occurred() != nullptr) {
        throw py::error_already_set();
    }
    return rounded;
}

nl::json array(py::handle iterable) {
    auto result = nl::json::array();
    for (py::handle const each : iterable) {
        result.push_back(to_json(each));
    }
    return result;
}

nl::json object(py::dict const& dict) {
    auto result = nl::json::object();
    for (auto const& [key, value] : dict) {
        result[to_utf8(py::str(key))] = to_json(value);
    }
    return result;
}

nl::json less_common(py::handle object) {
    if (PyObject_CheckBuffer(object.ptr()) != 0 &&
        (py::isinstance<py::bytes>(object) || PyMemoryView_Check(object.ptr()) || PyByteArray_Check(object.ptr()))) {
        return to_json(
            py::module_::import("binascii").attr("b2a_base64")(object, py::arg("newline") = false).attr("decode")());
    }
    if (PyIndex_Check(object.ptr()) != 0) {
        return integer(py::reinterpret_steal<py::object>(PyNumber_Index(object.ptr())));
    }
    if (py::hasattr(object, "isoformat")) {
        return to_json(object.attr("isoformat")());
    }
    if (py::hasattr(object, "__float__")) {
        return py::float_(py::reinterpret_borrow<py::object>(object)).cast<double>();
    }
    if (py::isinstance<py::iterable>(object)) {
        return array(object);
    }
    throw py::type_error("no JSON form for an object of type " + std::string(Py_TYPE(object.ptr())->tp_name));
}

} // namespace

std::string to_utf8(py::handle text) {
    Py_ssize_t size = 0;
    if (char const* utf8 = PyUnicode_AsUTF8AndSize(text.ptr(), &size)) {
        return {utf8, static_cast<std::size_t>(size)};
    }
    PyErr_Clear();
    auto const bytes =
        py::reinterpret_steal<py::object>(PyUnicode_AsEncodedString(text.ptr(), "utf-8", "backslashreplace"));
    if (!bytes) {
        throw py::error_already_set();
    }
    return bytes.cast<std::string>();
}

nl::json to_json(py::handle value) {
    recursion_guard const guard;
    if (value.is_none()) {
        return nullptr;
    }
    if (PyUnicode_Check(value.ptr())) {
        return to_utf8(value);
    }
    if (PyBool_Check(value.ptr())) {
        return value.ptr() == Py_True;
    }
    if (PyLong_Check(value.ptr())) {
        return integer(value);
    }
    if (PyFloat_Check(value.ptr())) {
        return PyFloat_AS_DOUBLE(value.ptr());
    }
    if (PyDict_Check(value.ptr())) {
        return object(py::reinterpret_borrow<py::dict>(value));
    }
    if (PyList_Check(value.ptr()) || PyTuple_Check(value.ptr())) {
        return array(value);
    }
    return less_common(value);
}

py::object to_python(nl::json const& value) {
    switch (value.type()) {
    case nl::json::value_t::object: {
        py::dict result;
        for (auto const& [key, each] : value.items()) {
            result[py::str(key)] = to_python(each);
        }
        return result;
    }
    case nl::json::value_t::array: {
        py::list result;
        for (auto const& each : value) {
            result.append(to_python(each));
        }
        return result;
    }
    case nl::json::value_t::string:
        return py::str(value.get_ref<std::string const&>());
    case nl::json::value_t::boolean:
        return py::bool_(value.get<bool>());
    case nl::json::value_t::number_integer:
        return py::int_(value.get<std::int64_t>());
    case nl::json::value_t::number_unsigned:
        return py::int_(value.get<std::uint64_t>());
    case nl::json::value_t::number_float:
        return py::float_(value.get<double>());
    default:
        return py::none();
    }
}

xeus::buffer_sequence to_buffers(py::handle objects) {
    xeus::buffer_sequence result;
    if (objects.is_none()) {
        return result;
    }
    for (py::handle const each : objects) {
        Py_buffer view;
        if (PyObject_GetBuffer(each.ptr(), &view, PyBUF_SIMPLE) != 0) {
            throw py::error_already_set();
        }
        auto const* first = static_cast<char const*>(view.buf);
        result.emplace_back(first, first + view.len);
        PyBuffer_Release(&view);
    }
    return result;
}

py::list to_python(xeus::buffer_sequence const& buffers) {
    py::list result;
    for (auto const& each : buffers) {
        result.append(py::memoryview(py::bytes(each.data(), each.size())));
    }
    return result;
}

} // namespace xcores::kernel
