// SPDX-License-Identifier: BSD-3-Clause
#include "interpreter.hpp"

#include "input.hpp"
#include "process_group.hpp"
#include "python_json.hpp"
#include "python_sources.hpp"
#include "user_code.hpp"

#include <set>
#include <unistd.h>
#include <xeus/xhelper.hpp>

namespace xcores::kernel {

namespace py = pybind11;
namespace nl = nlohmann;

namespace {

/// The Python half was compiled in as text; each part becomes a module that the next can import.
py::object load_python_half() {
    auto const types = py::module_::import("types");
    auto const builtins = py::module_::import("builtins");
    py::dict modules = py::module_::import("sys").attr("modules");
    auto package = types.attr("ModuleType")("xcores_kernel");
    package.attr("__path__") = py::list();
    modules["xcores_kernel"] = package;
    py::object module;
    for (auto const& source : python_sources()) {
        std::string const name = source.module;
        module = types.attr("ModuleType")(name);
        modules[py::str(name)] = module;
        auto const code = builtins.attr("compile")(source.text, "<" + name + ">", "exec");
        builtins.attr("exec")(code, module.attr("__dict__"));
    }
    return module;
}

nl::json error_reply(std::string const& name, std::string const& value) {
    return xeus::create_error_reply(name, value, nl::json::array({name + ": " + value}));
}

/// GIL: held.
nl::json error_reply(py::error_already_set const& error) {
    try {
        return error_reply(py::str(error.type().attr("__name__")), to_utf8(py::str(error.value())));
    } catch (py::error_already_set const&) { // an exception that cannot even be printed
        return error_reply("Exception", "");
    }
}

} // namespace

interpreter::~interpreter() {
    close();
}

void interpreter::connect(server& server) {
    server_ = &server;
    streams_.emplace([&server](stream_name name, request_ptr const& parent, std::string text) {
        if (parent) {
            ++parent->outputs;
        }
        server.publish("stream", parent ? parent->header : nl::json::object(),
                       {{"name", name == stream_name::out ? "stdout" : "stderr"}, {"text", std::move(text)}});
    });
}

void interpreter::configure_impl() {
    py::gil_scoped_acquire const gil;
    connect_bridge(this);
    python_half_ = load_python_half();
    python_half_.attr("take_over_interrupts")();
    {
        auto const allowed = signal_scope::allowed(); // processes that start-up files start must not inherit the mask
        kernel_ = python_half_.attr("make_kernel")();
    }
    kernel_info_ = call("kernel_info");
    execution_count_ = kernel_.attr("execution_count").cast<int>();
}

void interpreter::close() {
    if (kernel_) {
        py::gil_scoped_acquire const gil;
        try {
            kernel_.attr("close")();
        } catch (py::error_already_set& error) {
            error.discard_as_unraisable("the end of the kernel");
        }
        connect_bridge(nullptr);
        kernel_ = py::object();
        python_half_ = py::object();
    }
    descriptors_.reset();
    streams_.reset();
    server_ = nullptr;
}

void interpreter::begin(request_ptr request) {
    py::gil_scoped_acquire const gil;
    interrupts_.begin([this] {
        deliver_late_signals();
        user_code::begin();
    });
    if (descriptors_) {
        descriptors_->drain(); // what was written between cells
    }
    if (request->header.value("msg_type", "") == "execute_request") {
        streams_->set_latest(request);
    }
    latest_ = std::move(request);
    kernel_.attr("begin")(latest_);
    under_way_.emplace(interrupts_);
}

/// The content of a reply, whatever happens while it is made. GIL: held.
template <class Function>
nl::json interpreter::content_of(Function make_reply) {
    nl::json reply;
    try {
        auto const allowed = signal_scope::allowed();
        reply = make_reply();
        under_way_.reset(); // while signals are let through: none stays pending until Python has ended
    } catch (py::error_already_set const& error) {
        reply = error_reply(error);
    } catch (std::exception const& error) {
        reply = error_reply("KernelError", error.what());
    }
    under_way_.reset();
    handle_signals();
    python_half_.attr("take_over_interrupts")();
    return reply;
}

/// One call of the Python half, all of which may run user code and be interrupted. GIL: held.
template <class... Arguments>
nl::json interpreter::call(char const* function, Arguments&&... arguments) {
    return content_of([&] {
        user_code::scope const interruptible;
        return to_json(kernel_.attr(function)(std::forward<Arguments>(arguments)...));
    });
}

/// An interrupt that came too late for the last request must not hit this one.
void interpreter::deliver_late_signals() noexcept {
    auto const allowed = signal_scope::allowed(); // by the end of which they have been delivered
    handle_signals();
}

void interpreter::handle_signals() noexcept {
    while (PyErr_CheckSignals() != 0) {
        if (PyErr_ExceptionMatches(PyExc_KeyboardInterrupt) == 0) {
            PyErr_WriteUnraisable(nullptr); // a handler of the user's own
        }
        PyErr_Clear();
    }
}

void interpreter::signalled() noexcept {
    py::gil_scoped_acquire const gil;
    handle_signals();
}

bool interpreter::keep_waiting() {
    py::gil_scoped_acquire const gil;
    return PyErr_CheckSignals() == 0;
}

void interpreter::execute_request_impl(send_reply_callback send_reply, int /* xeus_count */, std::string const& code,
                                       xeus::execute_request_config config, nl::json user_expressions) {
    nl::json reply;
    int next_count = execution_count_;
    {
        py::gil_scoped_acquire const gil;
        reply = content_of([&] { // which says itself what is the user's code
            return to_json(kernel_.attr("execute")(code, config.silent, config.store_history,
                                                   to_python(user_expressions), config.allow_stdin));
        });
        if (getpid() != process_) { // the cell has forked, and this is the child, in which nothing but its code works
            _exit(reply.value("status", "") == "ok" ? 0 : 1);
        }
        next_count = kernel_.attr("execution_count").cast<int>();
    }
    if (descriptors_) {
        descriptors_->finish();
    }
    streams_->drain();
    send_reply(std::move(reply));
    execution_count_ = next_count;
    if (stop_after_reply_) {
        shutdown_.request();
        server_->stop();
    }
}

nl::json interpreter::complete_request_impl(std::string const& code, int cursor) {
    py::gil_scoped_acquire const gil;
    return call("complete", code, cursor);
}

nl::json interpreter::inspect_request_impl(std::string const& code, int cursor, int detail_level) {
    py::gil_scoped_acquire const gil;
    return call("inspect", code, cursor, detail_level);
}

nl::json interpreter::is_complete_request_impl(std::string const& code) {
    py::gil_scoped_acquire const gil;
    return call("is_complete", code);
}

nl::json interpreter::shutdown_request_impl(bool restart) {
    shutdown_.request();
    return xeus::create_shutdown_reply(restart);
}

nl::json interpreter::interrupt_request_impl() {
    if (interrupts_.running()) {
        interrupt_children();
        interrupts_.interrupt();
    }
    return xeus::create_interrupt_reply();
}

bool interpreter::answers(std::string const& type) const {
    static std::set<std::string> const types{"comm_open", "comm_msg", "comm_close", "comm_info_request",
                                             "history_request"};
    return types.contains(type);
}

std::optional<nl::json> interpreter::answer(std::string const& type, xeus::xmessage const& message) {
    nl::json reply;
    {
        py::gil_scoped_acquire const gil;
        if (type == "history_request" || type == "comm_info_request") {
            reply = call(type == "history_request" ? "history" : "comm_info", to_python(message.content()));
        } else {
            using namespace py::literals;
            py::dict const parts("header"_a = to_python(message.header()), "metadata"_a = to_python(message.metadata()),
                                 "parent_header"_a = to_python(message.parent_header()),
                                 "content"_a = to_python(message.content()),
                                 "buffers"_a = to_python(message.buffers()));
            call("comm", type, parts);
        }
    }
    drain();
    return type.ends_with("_request") ? std::optional(std::move(reply)) : std::nullopt;
}

std::uint64_t interpreter::publish(std::string const& type, request_ptr parent, nl::json content, nl::json metadata,
                                   xeus::buffer_sequence buffers) {
    static std::set<std::string> const kinds{"display_data", "execute_result", "error", "clear_output"};
    parent = or_latest(std::move(parent));
    drain();
    std::uint64_t count = 0;
    if (parent) {
        count = kinds.contains(type) ? ++parent->outputs : parent->outputs.load();
    }
    server_->publish(type, parent ? parent->header : nl::json::object(), std::move(content), std::move(metadata),
                     std::move(buffers));
    return count;
}

std::uint64_t interpreter::outputs(request_ptr parent) {
    parent = or_latest(std::move(parent));
    drain();
    return parent ? parent->outputs.load() : 0;
}

void interpreter::write(stream_name name, request_ptr parent, std::string_view text) {
    if (descriptors_) {
        descriptors_->drain_after_pause();
    }
    streams_->write(name, parent, text);
}

void interpreter::flush() {
    streams_->flush();
}

void interpreter::drain() {
    if (descriptors_) {
        descriptors_->drain();
    }
    streams_->drain();
}

int interpreter::capture_descriptors() {
    descriptors_.emplace([this](stream_name name, std::string_view text) { streams_->write(name, nullptr, text); });
    return descriptors_->log();
}

void interpreter::after_fork() noexcept {
    if (descriptors_) {
        descriptors_->leave_to_parent();
    }
}

std::string interpreter::ask(std::string const& prompt, bool password) {
    bool abandoned = false;
    {
        py::gil_scoped_release const release;
        drain();
        register_input_handler([this](std::string const& value) { input_ = value; });
        try {
            input_request(prompt, password);
        } catch (input_abandoned const&) {
            abandoned = true;
        }
    }
    if (abandoned) {
        throw py::error_already_set();
    }
    return std::exchange(input_, {});
}

} // namespace xcores::kernel
