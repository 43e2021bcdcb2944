// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include <xcores/cpython/interpreter_layout.h>
#include <xcores/model/report.hpp>
#include <xcores/os/own_memory.hpp>

namespace xcores::cpython {

/// Who holds the GIL of each interpreter of this process, ours or not, and which threads have run Python.
///
/// CPython's lists of interpreters and threads change under locks that cannot be taken from outside without stopping
/// what is being watched. So they are read as a debugger reads another process: through the system, which never faults,
/// and nothing is believed that does not agree with itself. What is in doubt is unknown.
///
/// - Thread: any.
/// - GIL: called without any; takes none.
class interpreter_watch {
public:
    interpreter_watch() noexcept : layout_(xcores_read_interpreter_layout()) {}

    /// A thread that has a thread state in an interpreter; `gil` is the position in gils().
    struct python_thread {
        std::int64_t native_id = 0;
        int gil = 0;
    };
    /// Finds interpreters and threads, those of threads that only just began a little later. Positions never change.
    std::vector<python_thread> find();

    /// Notes who holds each GIL at this moment. Allocates nothing.
    void look() noexcept;

    /// As of the last look.
    model::gil_state state_of(std::int64_t native_id, int gil) const noexcept;
    std::uint64_t handovers_of(int gil) const noexcept; ///< since some fixed moment
    std::uintptr_t address_of(int gil) const noexcept;  ///< 0: unknown
    int main_gil() const noexcept;                      ///< of the main interpreter; -1: not found yet
    bool holds_any(std::int64_t native_id) const noexcept;
    bool is_in_a_gil(std::uintptr_t address) const noexcept; ///< a thread that sleeps there waits for a GIL

    struct gil_facts {
        std::string name;
        bool is_main = false;        ///< of the main interpreter
        std::uint64_t handovers = 0; ///< since it was found
    };
    std::vector<gil_facts> gils() const;

private:
    static constexpr std::int64_t nobody = 0;
    static constexpr std::int64_t unknown = -1;
    struct entry {
        std::uintptr_t address = 0;
        std::int64_t interpreter = 0; ///< the oldest that runs under it
        std::int64_t holder = unknown;
        unsigned long switches_before = 0;
        unsigned long switches = 0;
        bool alive = true;
    };
    struct holding {
        std::uintptr_t holder = 0;
        int locked = -1;
        unsigned long switches = 0;
        bool operator==(const holding&) const = default;
    };
    int position_of(std::uintptr_t address, std::int64_t owner);
    void find_threads(std::uintptr_t interpreter, int gil, std::vector<python_thread>& into);
    std::int64_t native_id_of(std::uintptr_t thread_state) const noexcept;
    bool read(const entry&, holding&) const noexcept;
    std::int64_t holder_of(entry&) const noexcept;

    const struct xcores_interpreter_layout layout_;
    const os::own_memory memory_;
    mutable std::mutex mutex_;
    std::vector<entry> gils_;
    struct known_thread {
        std::uintptr_t state;
        std::int64_t native_id;
    };
    std::vector<known_thread> threads_; ///< as last found; in order
};

} // namespace xcores::cpython
