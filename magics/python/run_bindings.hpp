// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <memory>
#include <mutex>

#include <pybind11/pybind11.h>

#include <xcores/run/session.hpp>

namespace xcores::python {

/// The run of a cell, or of a repeated one the runs in turn. It exists before the first one starts: an exception of a
/// signal handler, which Python raises when start() has returned, finds what was started here.
///
/// - Thread: any.
/// - GIL: held, and let go while something is waited for.
class run_view {
public:
    void start(run::plan); ///< Failure: std::exception; then nothing runs
    bool started() const { return session_or_null() != nullptr; }

    /// True: all workers have ended. Failure: what a signal handler raises.
    bool wait(double seconds);

    /// Stops what still runs, and returns when all workers have ended. Runs no signal handlers.
    void end();

    std::shared_ptr<run::session> session() const; ///< Failure: std::runtime_error before the first start

private:
    std::shared_ptr<run::session> session_or_null() const;

    mutable std::mutex mutex_; ///< guards what follows
    std::shared_ptr<run::session> session_;

    std::mutex waiting_; ///< a session is waited for by one thread at a time; locked without the GIL
};

/// `_engine.Run`.
void define_run(pybind11::module_&);

} // namespace xcores::python
