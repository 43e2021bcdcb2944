// SPDX-License-Identifier: BSD-3-Clause
#include "bridge.hpp"

#include "build_info.hpp"
#include "interrupts.hpp"
#include "python_json.hpp"
#include "user_code.hpp"

#include <mutex>
#include <pybind11/pybind11.h>
#include <shared_mutex>
#include <unistd.h>
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

/// Most prints have the request of the one before. GIL: held.
request_ptr const& request_in(py::handle object) {
    static auto* const latest = new py::object; // never freed: Python threads outlive the kernel's other parts
    static request_ptr found;
    if (!object.is(*latest)) {
        found = object.cast<request_ptr>();
        *latest = py::reinterpret_borrow<py::object>(object);
    }
    return found;
}

/// write(is_error, text, request), called for each print: pybind11's own way into a function takes as long as the rest.
PyObject* write_text(PyObject*, PyObject* const* arguments, Py_ssize_t count) {
    if (count != 3 || !PyUnicode_Check(arguments[1])) {
        PyErr_SetString(PyExc_TypeError, "write(is_error: bool, text: str, request: Request | None)");
        return nullptr;
    }
    try {
        if (connected != nullptr) {
            auto const name = arguments[0] == Py_True ? stream_name::err : stream_name::out;
            auto const& parent = request_in(arguments[2]);
            if (PyUnicode_IS_COMPACT_ASCII(arguments[1])) {
                std::string_view const text(static_cast<char const*>(PyUnicode_DATA(arguments[1])),
                                            static_cast<std::size_t>(PyUnicode_GET_LENGTH(arguments[1])));
                connected->write(name, parent, text);
            } else {
                connected->write(name, parent, to_utf8(arguments[1]));
            }
        }
    } catch (py::error_already_set& error) {
        error.restore();
        return nullptr;
    } catch (std::exception const& error) {
        PyErr_SetString(PyExc_RuntimeError, error.what());
        return nullptr;
    }
    Py_RETURN_NONE;
}

PyMethodDef write_method{"write", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(write_text)), METH_FASTCALL,
                         nullptr};

void flush() {
    if (connected != nullptr) {
        connected->flush();
    }
}

int capture_descriptors() {
    return connected != nullptr ? connected->capture_descriptors() : STDERR_FILENO;
}

void after_fork() {
    if (connected != nullptr) {
        connected->after_fork();
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

std::uint64_t outputs(request_ptr parent) {
    return connected != nullptr ? connected->outputs(std::move(parent)) : 0;
}

py::object make_display_channel(request_ptr const& parent) {
    if (!parent) {
        return py::none();
    }
    auto channel = std::make_unique<display_channel>([parent](bool update, nlohmann::json content) -> std::uint64_t {
        std::shared_lock const lock(connection);
        return connected == nullptr ? 0
                                    : connected->publish(update ? "update_display_data" : "display_data", parent,
                                                         std::move(content), nlohmann::json::object(), {});
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
    module.def("outputs", &outputs);
    module.add_object("write", PyCFunction_New(&write_method, nullptr));
    module.def("flush", &flush);
    module.def("capture_descriptors", &capture_descriptors);
    module.def("after_fork", &after_fork);
    module.def("ask", &ask);
    module.def("stop", &stop);
    module.def("run_user_code", &user_code::run);
    module.def("run_atomically", &user_code::run_atomically);
    module.def("ended_by_interrupt", &user_code::ended_by_interrupt);
    module.def("run_step", &user_code::run_step);
    module.def("set_cancel", &user_code::set_cancel);
    module.def("on_signal", &user_code::on_signal);
    module.def("handler_installed", &interrupts::handler_installed);
}

} // namespace xcores::kernel
