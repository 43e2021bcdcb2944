// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <atomic>
#include <cstdint>

#include <Python.h>

#include <xcores/os/thread_probe.hpp>
#include <xcores/run/probe.hpp>

namespace xcores::cpython {

/// A worker's thread as the sampler sees it: core and CPU time from the system, the GIL from CPython's memory.
///
/// - Thread: made on the worker's thread; read by the sampler.
/// - GIL: made attached; read without.
/// - Lifetime: the interpreter and the thread state must outlive the last read.
class gil_probe final : public run::probe {
public:
    explicit gil_probe(PyThreadState* state) noexcept;

    reading read() noexcept override;
    run::nanoseconds cpu() noexcept override { return cpu_time(); }
    model::thread_state situation() noexcept override;

    std::uintptr_t gil() const noexcept override { return gil_; } ///< its address
    std::optional<recordable> what_to_record() const noexcept override;
    std::uint64_t handovers() const noexcept;
    bool gil_is_held() const noexcept; ///< by anybody, at this moment
    run::nanoseconds cpu_time() const noexcept { return thread_.cpu_time(); }
    std::int64_t native_thread_id() const noexcept { return thread_.native_id(); }

private:
    os::thread_probe thread_;
    PyThreadState* state_;
    std::uintptr_t gil_;
};

} // namespace xcores::cpython
