// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <memory>
#include <mutex>

#include <pybind11/pybind11.h>

#include <xcores/run/lanes.hpp>

#include "conversions.hpp"

namespace xcores::python {

/// A recording, from its making on; stop() makes the report.
///
/// - Thread: any.
/// - GIL: attached when it is made; not needed otherwise, and not to be held, because it waits.
class recorder {
public:
    explicit recorder(double sample_hz);

    void introduce(std::map<std::int64_t, std::string> names, std::set<std::int64_t> hidden, std::int64_t main_thread);
    report_view stop();
    model::report now(); ///< what goes on

private:
    model::environment_record environment_;
    std::mutex mutex_; ///< guards what follows
    run::cast known_;
    std::unique_ptr<run::recorder> watching_;
};

/// `Recorder`: everything that runs in this process and below it, as Python sees it.
void define_recorder(pybind11::module_&);

} // namespace xcores::python
