// SPDX-License-Identifier: BSD-3-Clause
#include "user_code.hpp"

#include "interrupts.hpp"

#include <chrono>

namespace xcores::kernel::user_code {

namespace py = pybind11;

namespace {

using steady = std::chrono::steady_clock;

constexpr auto impatience =
    std::chrono::seconds(1); // within it, a further interrupt means the code that has just ended

// Main thread and GIL: no other guard is needed. `cancel` is null outside of cells, hence gone before Python is.
int depth = 0;
bool atomic = false;
steady::time_point ignored_until;
bool pending = false;
bool cancelled = false;
PyObject* cancel = nullptr;

[[noreturn]] void raise_interrupt() {
    PyErr_SetNone(PyExc_KeyboardInterrupt);
    throw py::error_already_set();
}

py::object call_interruptibly(py::object const& function, py::tuple const& arguments) {
    // No bytecode runs between the scope's ends and the call: a signal handler cannot come in between.
    scope const interruptible;
    auto result = py::reinterpret_steal<py::object>(PyObject_CallObject(function.ptr(), arguments.ptr()));
    if (!result) {
        throw py::error_already_set();
    }
    return result;
}

void call_cancel() {
    cancelled = true;
    py::reinterpret_borrow<py::object>(cancel)();
}

} // namespace

scope::scope() {
    ++depth;
}

scope::~scope() {
    --depth;
}

void begin() {
    pending = false;
    ignored_until = {};
    set_cancel(py::none());
}

py::object run(py::args const& function_and_arguments) {
    py::tuple const arguments = function_and_arguments[py::slice(1, std::nullopt, std::nullopt)];
    return call_interruptibly(function_and_arguments[0], arguments);
}

py::object run_atomically(py::args const& function_and_arguments) {
    struct atomic_scope {
        bool const before = std::exchange(atomic, true);
        ~atomic_scope() { atomic = before; }
    } const scope;
    py::tuple const arguments = function_and_arguments[py::slice(1, std::nullopt, std::nullopt)];
    return function_and_arguments[0](*arguments);
}

void ended_by_interrupt() {
    pending = false;
    ignored_until = steady::now() + impatience;
}

py::object run_step(py::object const& interrupt, py::object const& step, py::object const& value) {
    if (std::exchange(pending, false)) {
        return call_interruptibly(interrupt, py::make_tuple(py::handle(PyExc_KeyboardInterrupt)));
    }
    return call_interruptibly(step, py::make_tuple(value));
}

void set_cancel(py::object new_cancel) {
    cancelled = false;
    Py_XDECREF(std::exchange(cancel, new_cancel.is_none() ? nullptr : new_cancel.release().ptr()));
    if (cancel != nullptr && std::exchange(pending, false)) {
        call_cancel();
    }
}

void on_signal(int, py::object const&) {
    interrupts::noticed();
    if (steady::now() < ignored_until) {
        return;
    }
    if (atomic) {
        pending = true;
        return;
    }
    if (depth > 0 || (cancel != nullptr && cancelled)) {
        raise_interrupt();
    }
    if (cancel != nullptr) {
        call_cancel();
    } else {
        pending = true;
    }
}

} // namespace xcores::kernel::user_code
