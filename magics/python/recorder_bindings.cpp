// SPDX-License-Identifier: BSD-3-Clause
// `xcores._engine.Recorder`: watches everything that runs in this process and below it.
#include "recorder_bindings.hpp"

#include <memory>
#include <stdexcept>

#include <pybind11/stl.h>

#include <xcores/cpython/this_process.hpp>
#include <xcores/executors/engine.hpp>
#include <xcores/run/lanes.hpp>

#include "conversions.hpp"

namespace py = pybind11;

namespace xcores::python {
namespace {

/// From its making on; stop() makes the report.
class recorder {
public:
    explicit recorder(double sample_hz) : environment_(executors::environment_here()) {
        if (!(sample_hz >= 1 && sample_hz <= 10'000))
            throw py::value_error("sample_hz must be from 1 to 10000");
        describe_python(environment_);
        environment_.switch_interval = switch_interval();
        const py::gil_scoped_release let_go;
        watching_ = std::make_unique<run::recorder>(cpython::this_process(), seconds(1 / sample_hz));
    }

    report_view stop(std::map<std::int64_t, std::string> names, std::set<std::int64_t> hidden,
                     std::int64_t main_thread) {
        const auto watching = std::move(watching_);
        if (!watching)
            throw std::runtime_error("this recording has been stopped already");
        const run::cast known{std::move(names), std::move(hidden), main_thread};
        const py::gil_scoped_release let_go;
        return {run::report_of(watching->stop(), known, environment_)};
    }

private:
    model::environment_record environment_;
    std::unique_ptr<run::recorder> watching_;
};

} // namespace

void define_recorder(py::module_& module) {
    py::class_<recorder>(module, "Recorder",
                         "Records what all threads of this process and the processes below it do, from its making on.")
        .def(py::init<double>(), py::arg("sample_hz") = 1000.0)
        .def("stop", &recorder::stop, py::arg("names"), py::arg("hidden"), py::arg("main_thread"),
             "Ends the recording and gives its report. `names`: of threads, by native id; `hidden`: the native ids of "
             "threads to leave out.");
}

} // namespace xcores::python
