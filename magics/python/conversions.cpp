// SPDX-License-Identifier: BSD-3-Clause
#include "conversions.hpp"

#include <algorithm>

#include <pybind11/stl.h>

#include <xcores/cpython/buffers.hpp>

namespace xcores::python {

namespace py = pybind11;

std::shared_ptr<const run::payload> payload_from(const py::tuple& input) {
    auto made = std::make_shared<run::payload>();
    made->data = input[0].cast<std::string>();
    for (const auto& one : input[1])
        made->buffers.push_back(cpython::buffer_of(one.ptr()));
    return made;
}

py::tuple tuple_of(const run::payload& from) {
    py::list buffers;
    for (const auto& one : from.buffers)
        buffers.append(py::reinterpret_steal<py::object>(cpython::view_of(one).release()));
    return py::make_tuple(py::bytes(from.data), buffers);
}

py::dict dict_of(const model::outcome& how) {
    py::dict one;
    one["kind"] = std::string(model::name_of(how.kind));
    one["type"] = how.type;
    one["message"] = how.message;
    one["traceback"] = how.traceback;
    one["code"] = how.code;
    one["abandoned"] = how.abandoned;
    return one;
}

std::chrono::nanoseconds seconds(double value) {
    constexpr double longest = 1e9; // seconds; more does not fit and is for ever anyway
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
        std::chrono::duration<double>(std::min(value, longest)));
}

void describe_python(model::environment_record& environment) {
    const auto sys = py::module_::import("sys");
    environment.xcores = XCORES_VERSION;
    if (py::hasattr(sys, "_is_gil_enabled"))
        environment.gil_disabled = !sys.attr("_is_gil_enabled")().cast<bool>();
}

std::chrono::nanoseconds switch_interval() {
    return seconds(py::module_::import("sys").attr("getswitchinterval")().cast<double>());
}

} // namespace xcores::python
