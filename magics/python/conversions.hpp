// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <chrono>
#include <memory>
#include <utility>

#include <nlohmann/json.hpp>
#include <pybind11/pybind11.h>

#include <xcores/model/report.hpp>
#include <xcores/run/payload.hpp>

/// Values of the engine as Python sees them.
/// GIL: attached. Failure: pybind11's exceptions, or cpython::error.
namespace xcores::python {

/// From `(data, buffers)`; the buffers are not copied.
std::shared_ptr<const run::payload> payload_from(const pybind11::tuple&);

/// As `(data, buffers)`, with views that keep their owners.
pybind11::tuple tuple_of(const run::payload&);

pybind11::dict dict_of(const model::outcome&);

/// One report as Python sees it.
struct report_view {
    model::report value;
};

std::chrono::nanoseconds seconds(double);

/// The version of this module, and whether this Python has a GIL.
void describe_python(model::environment_record&);

/// `sys.getswitchinterval()`, which the user may change at any time.
std::chrono::nanoseconds switch_interval();

inline std::string text_of(const nlohmann::json& value) {
    return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

inline pybind11::object from_json(const nlohmann::json& value) {
    return pybind11::module_::import("json").attr("loads")(text_of(value));
}

/// Drawing takes time and no Python.
template <typename Render>
auto without_gil(Render&& render) {
    const pybind11::gil_scoped_release let_go;
    return render();
}

/// A picture's bundle with its metadata, as `DisplayPublisher.publish` takes them.
template <typename Render>
pybind11::tuple picture_of(Render&& render) {
    const auto [bundle, metadata] = without_gil(std::forward<Render>(render));
    return pybind11::make_tuple(from_json(bundle), from_json(metadata));
}

} // namespace xcores::python
