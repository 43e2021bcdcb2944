// SPDX-License-Identifier: BSD-3-Clause
#include "bridge.hpp"

#include "build_info.hpp"
#include "interrupts.hpp"
#include "python_json.hpp"
#include "user_code.hpp"

#include <mutex>
#include <pybind11/pybind11.h>
#include <shared_mutex>
#include <xcores/display_channel.hpp>

namespace xcores::kernel {

namespace py = pybind11;

namespace {

bridge_target* connected = nullptr; // written under both, read under one of them: the GIL and
std::shared_mutex connection;

void publish(std::string const& type, py::object const& content, py::object const& metadata, py::object const& buffers,
             request_ptr parent) {
    if (connected == nullptr) {
        return;
    }
    auto json = to_json(content);
    auto about = metadata.is_none() ? nlohmann::json::object() : to_json(metadata);
    connected->publish(type, std::move(parent), std::move(json), std::move(about), to_buffers(buffers));
}

void write_text(bool is_error, py::str const& text, request_ptr parent) {
    if (connected != nullptr) {
        connected->write(is_error ? stream_name::err : stream_name::out, std::move(parent), to_utf8(text));
    }
}

void flush() {
    if (connected != nullptr) {
        connected->flush();
    }
}

std::string ask(std::string const& prompt, bool password) {
    return connected != nullptr ? connected->ask(prompt, password) : std::string();
}

void stop() {
    if (connected != nullptr) {
        connected->stop();
    }
}

py::object make_display_channel(request_ptr const& parent) {
    if (!parent) {
        return py::none();
    }
    auto channel = std::make_unique<display_channel>([parent](bool update, nlohmann::json content) {
        std::shared_lock const lock(connection);
        if (connected != nullptr) {
            connected->publish(update ? "update_display_data" : "display_data", parent, std::move(content),
                               nlohmann::json::object(), {});
        }
    });
    auto const destroy = [](PyObject* capsule) {
        delete static_cast<display_channel*>(PyCapsule_GetPointer(capsule, display_channel_name));
    };
    py::capsule made(channel.get(), display_channel_name, destroy);
    channel.release();
    return made;
}

} // namespace

void connect_bridge(bridge_target* target) {
    std::unique_lock const lock(connection); // whoever publishes just now needs no GIL to end
    connected = target;
}

void define_bridge(py::module_& module) {
    module.attr("version") = build_info::version;
    py::class_<request, request_ptr>(module, "Request")
        .def_property_readonly("header", [](request const& self) { return to_python(self.header); })
        .def_property_readonly("metadata", [](request const& self) { return to_python(self.metadata); });
    module.def("publish", &publish, py::arg("type"), py::arg("content"), py::arg("metadata") = py::none(),
               py::arg("buffers") = py::none(), py::arg("request") = nullptr);
    module.def("display_channel", &make_display_channel);
    module.def("write", &write_text);
    module.def("flush", &flush);
    module.def("ask", &ask);
    module.def("stop", &stop);
    module.def("run_user_code", &user_code::run);
    module.def("run_step", &user_code::run_step);
    module.def("set_cancel", &user_code::set_cancel);
    module.def("on_signal", &user_code::on_signal);
    module.def("handler_installed", &interrupts::handler_installed);
}

} // namespace xcores::kernel
