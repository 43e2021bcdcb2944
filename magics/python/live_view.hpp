// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include <pybind11/pybind11.h>

#include <xcores/display_channel.hpp>
#include <xcores/model/report.hpp>
#include <xcores/run/live_schedule.hpp>

namespace xcores::python {

/// Shows what goes on, again and again, from a thread of its own that needs no GIL.
///
/// - Thread: any one at a time.
/// - GIL: not held by those who call, because stop() waits.
/// - Failure: the constructor throws std::system_error where there can be no thread; a view that cannot be made is left
///   out.
class live_view {
public:
    /// What there is to see now. Called on the thread of the view.
    using source = std::function<model::report()>;

    live_view(display_channel, std::string display_id, bool patient);
    ~live_view();
    live_view(const live_view&) = delete;
    live_view& operator=(const live_view&) = delete;

    void watch(source); ///< from now on, instead of what was watched
    std::uint64_t
    stop(); ///< shows nothing more; which output of its cell it is, from 1 on; 0: it never showed anything

private:
    void loop() noexcept;
    void show(const source&);

    const display_channel channel_;
    const std::string display_id_;
    run::live_schedule schedule_;
    std::uint64_t place_ = 0; ///< among the outputs of its cell; 0: not shown yet

    std::mutex mutex_;
    std::condition_variable changed_;
    source source_;
    bool stopping_ = false;
    std::thread thread_;
};

/// `LiveSchedule` and `LiveView`.
void define_live_view(pybind11::module_&);

} // namespace xcores::python
