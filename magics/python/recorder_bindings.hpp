// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <memory>
#include <mutex>

#include <pybind11/pybind11.h>
#include <sys/types.h>

#include <xcores/run/lanes.hpp>

#include "conversions.hpp"

namespace xcores::python {

/// A recording, from its making on; stop() makes the report. In a fork of its process it is left as it is: the threads
/// that its parts would wait for are the parent's.
///
/// - Thread: any.
/// - GIL: attached when it is made; not needed otherwise, and not to be held, because it waits.
class recorder {
public:
    explicit recorder(double sample_hz);
    ~recorder();
    recorder(const recorder&) = delete;
    recorder& operator=(const recorder&) = delete;

    void introduce(std::map<std::int64_t, std::string> names, std::set<std::int64_t> hidden, std::int64_t main_thread);
    report_view stop();
    model::report now(); ///< what goes on

private:
    const pid_t process_;
    model::environment_record environment_;
    std::mutex mutex_; ///< guards what follows
    run::cast known_;
    std::unique_ptr<run::recorder> watching_;
};

/// `Recorder`: everything that runs in this process and below it, as Python sees it.
void define_recorder(pybind11::module_&);

} // namespace xcores::python
