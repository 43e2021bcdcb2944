// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/cpython/gil_probe.hpp>

#include <xcores/cpython/gil_access.h>
#include <xcores/cpython/gil_lock.hpp>

namespace xcores::cpython {

using model::gil_state;
using model::thread_state;

gil_probe::gil_probe(PyThreadState* state) noexcept
    : state_(state), gil_(reinterpret_cast<std::uintptr_t>(xcores_gil_of(PyThreadState_GetInterpreter(state)))) {}

run::probe::reading gil_probe::read() noexcept {
    return {thread_.cpu_time(), thread_.core(), xcores_holds_gil(state_) ? gil_state::held : gil_state::not_held,
            handovers()};
}

std::optional<run::probe::recordable> gil_probe::what_to_record() const noexcept {
    return recordable{thread_.native_id(), gil_lock(reinterpret_cast<const void*>(gil_)), cpython_code()};
}

std::uint64_t gil_probe::handovers() const noexcept {
    return xcores_gil_handovers(reinterpret_cast<const void*>(gil_));
}

bool gil_probe::gil_is_held() const noexcept {
    return xcores_gil_is_held(reinterpret_cast<const void*>(gil_)) != 0;
}

thread_state gil_probe::situation() noexcept {
    if (xcores_waits_for_gil(state_) == 1)
        return thread_state::waiting_gil;
    const auto seen = thread_.look();
    switch (seen.what) {
    case os::thread_probe::activity::runnable:
        return thread_state::waiting_core;
    case os::thread_probe::activity::in_system_call:
        // Before 3.15 a waiter is known by what it sleeps on: the condition variable inside the GIL itself.
        return seen.futex >= gil_ && seen.futex < gil_ + xcores_gil_size() ? thread_state::waiting_gil
                                                                           : thread_state::blocked;
    case os::thread_probe::activity::unknown:
        break;
    }
    return thread_state::unknown;
}

} // namespace xcores::cpython
