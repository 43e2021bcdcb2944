// SPDX-License-Identifier: BSD-3-Clause
#include "live_view.hpp"

#include <exception>

#include <xcores/os/named_thread.hpp>
#include <xcores/os/thread_probe.hpp>
#include <xcores/render/mime_bundle.hpp>

#include "conversions.hpp"
#include "recorder_bindings.hpp"
#include "run_bindings.hpp"

namespace py = pybind11;

namespace xcores::python {

live_view::live_view(display_channel channel, std::string display_id, bool patient)
    : channel_(std::move(channel)), display_id_(std::move(display_id)), schedule_(patient),
      thread_(os::named_thread("xcores view", [this] { loop(); })) {}

live_view::~live_view() {
    stop();
}

void live_view::watch(source what) {
    const std::lock_guard lock(mutex_);
    source_ = std::move(what);
}

std::uint64_t live_view::stop() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
        changed_.notify_one();
    }
    if (thread_.joinable())
        thread_.join();
    return place_;
}

void live_view::loop() noexcept {
    os::block_signals_on_this_thread();
    std::unique_lock lock(mutex_);
    while (!changed_.wait_until(lock, schedule_.next(), [this] { return stopping_; })) {
        const auto what = source_;
        lock.unlock();
        try {
            show(what);
        } catch (const std::exception&) { // the next one may succeed, and the end is shown in any case
        }
        schedule_.shown();
        lock.lock();
    }
}

void live_view::show(const source& what) {
    if (!what)
        return;
    const auto report = what();
    if (report.wall) // over: what stays comes next
        return;
    const auto outputs = channel_(place_ > 0, {{"data", render::live_bundle(report)},
                                               {"metadata", nlohmann::json::object()},
                                               {"transient", {{"display_id", display_id_}}}});
    if (place_ == 0)
        place_ = outputs;
}

namespace {

display_channel channel_in(const py::capsule& holder) {
    return *static_cast<const display_channel*>(PyCapsule_GetPointer(holder.ptr(), display_channel_name));
}

} // namespace

void define_live_view(py::module_& module) {
    using clock = run::live_schedule::clock;
    py::class_<run::live_schedule>(module, "LiveSchedule", "When the view of a run that goes on is to be shown.")
        .def(py::init([](bool patient) { return run::live_schedule(patient); }), py::arg("patient") = false)
        .def("seconds_to_next",
             [](const run::live_schedule& self) {
                 return std::max(0.0, std::chrono::duration<double>(self.next() - clock::now()).count());
             })
        .def("shown", [](run::live_schedule& self) { self.shown(); }, "It was shown just now.");
    py::class_<live_view>(module, "LiveView", "Shows a run that goes on, from a thread that needs no GIL.")
        .def(py::init([](const py::capsule& channel, std::string display_id, bool patient) {
                 return std::make_unique<live_view>(channel_in(channel), std::move(display_id), patient);
             }),
             py::arg("channel"), py::arg("display_id"), py::arg("patient") = false)
        .def(
            "watch",
            [](live_view& self, const run_view& what) {
                self.watch([session = what.session()] { return session->report(run::session::detail::recent); });
            },
            py::arg("run"), "From now on show this run, or this recording.")
        .def(
            "watch",
            [](live_view& self, std::shared_ptr<recorder> what) {
                self.watch([what = std::move(what)] { return what->now(); });
            },
            py::arg("run"))
        .def("stop", &live_view::stop, py::call_guard<py::gil_scoped_release>(),
             "Shows nothing more; which output of its cell it is, from 1 on; 0: it never showed anything.");
}

} // namespace xcores::python
