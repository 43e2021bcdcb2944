// SPDX-License-Identifier: BSD-3-Clause
#include "conversions.hpp"

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

} // namespace xcores::python
