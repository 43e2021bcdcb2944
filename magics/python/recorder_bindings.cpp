// SPDX-License-Identifier: BSD-3-Clause
// `xcores._engine.Recorder`: watches everything that runs in this process and below it.
#include "recorder_bindings.hpp"

#include <stdexcept>

#include <pybind11/stl.h>
#include <unistd.h>

#include <xcores/cpython/this_process.hpp>
#include <xcores/executors/engine.hpp>
#include <xcores/run/lanes.hpp>

namespace py = pybind11;

namespace xcores::python {

using std::chrono::nanoseconds;

recorder::recorder(double sample_hz) : process_(::getpid()), environment_(executors::environment_here()) {
    if (!(sample_hz >= 1 && sample_hz <= 10'000))
        throw py::value_error("sample_hz must be from 1 to 10000");
    describe_python(environment_);
    environment_.switch_interval = switch_interval();
    const py::gil_scoped_release let_go;
    watching_ = std::make_unique<run::recorder>(cpython::this_process(), seconds(1 / sample_hz));
}

recorder::~recorder() {
    if (::getpid() != process_)
        static_cast<void>(watching_.release());
}

void recorder::introduce(std::map<std::int64_t, std::string> names, std::set<std::int64_t> hidden,
                         std::int64_t main_thread) {
    const std::lock_guard lock(mutex_);
    known_ = {std::move(names), std::move(hidden), main_thread};
}

report_view recorder::stop() {
    const std::lock_guard lock(mutex_);
    const auto watching = std::move(watching_);
    if (!watching)
        throw std::runtime_error("this recording has been stopped already");
    return {run::report_of(watching->stop(), known_, environment_)};
}

model::report recorder::now() {
    const std::lock_guard lock(mutex_);
    if (!watching_) {
        model::report over;
        over.wall = nanoseconds{0};
        return over;
    }
    return run::report_so_far(watching_->so_far(), known_, environment_);
}

void define_recorder(py::module_& module) {
    py::class_<recorder, std::shared_ptr<recorder>>(
        module, "Recorder",
        "Records what all threads of this process and the processes below it do, from its making on.")
        .def(py::init<double>(), py::arg("sample_hz") = 1000.0)
        .def("introduce", &recorder::introduce, py::call_guard<py::gil_scoped_release>(), py::arg("names"),
             py::arg("hidden"), py::arg("main_thread"),
             "What only Python knows: names of threads by native id; native ids of threads to leave out.")
        .def("stop", &recorder::stop, py::call_guard<py::gil_scoped_release>(),
             "Ends the recording and gives its report.");
}

} // namespace xcores::python
