// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

#include <pybind11/pybind11.h>

#include <xcores/os/clock.hpp>
#include <xcores/os/futex.hpp>
#include <xcores/run/job_queue.hpp>

#include "bindings.hpp"

/// The queues of all executors of this process, for its end.
/// GIL: held, and let go while something is waited for.
namespace xcores::python {

/// Waits without the GIL; `wait(nanoseconds)` tells whether a signal came. False when the time is over.
template <typename Wait>
bool wait_for(std::optional<double> timeout, Wait&& wait) {
    // A signal that is handled just before the thread sleeps does not wake it.
    constexpr std::chrono::nanoseconds unnoticed = std::chrono::milliseconds{200};
    const auto until = timeout ? os::now() + seconds(*timeout) : os::now() + os::for_ever;
    for (;;) {
        const auto how = [&] {
            const py::gil_scoped_release let_go;
            return wait(std::min(until - os::now(), unnoticed));
        }();
        if (how == os::futex::wake::woken)
            return true;
        if (how == os::futex::wake::timed_out && os::now() >= until)
            return false;
        if (PyErr_CheckSignals() != 0)
            throw py::error_already_set();
    }
}

void note_open_queue(const std::shared_ptr<run::job_queue>&);
std::vector<std::shared_ptr<run::job_queue>> open_queues(); ///< those that may still have workers
void forget_queues();                                       ///< in the child of a fork: its parent has their workers

/// Closes all and waits until their jobs are done. Failure: what a signal handler raises.
void drain();

/// Ends the jobs of these, which are closed: KeyboardInterrupt, then by force. Those in threads are none of them.
/// False: some interpreter goes on.
bool stop_running(std::vector<std::shared_ptr<run::job_queue>>);

} // namespace xcores::python
