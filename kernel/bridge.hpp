// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "request.hpp"
#include "streams.hpp"

#include <pybind11/pybind11.h>
#include <string>
#include <xeus/xmessage.hpp>

namespace xcores::kernel {

/// What the kernel's Python half (kernel/python) can ask of its C++ half, through the module that the kernel is.
///
/// - Thread: any, except ask(): the main thread.
/// - GIL: held, except that publish() under a given request needs none.
class bridge_target {
public:
    virtual ~bridge_target() = default;

    /// Sends a message under `parent`, or under the latest request if that is null, after all text written before it.
    /// How many outputs there are under it then.
    virtual std::uint64_t publish(std::string const& type, request_ptr parent, nlohmann::json content,
                                  nlohmann::json metadata, xeus::buffer_sequence buffers) = 0;
    /// How many outputs there are under `parent`, all text written so far included.
    virtual std::uint64_t outputs(request_ptr parent) = 0;
    virtual void write(stream_name name, request_ptr parent, std::string_view text) = 0;
    virtual void flush() = 0;
    /// From now on, what is written to the descriptors 1 and 2 belongs to the cell that runs; where they led before.
    virtual int capture_descriptors() = 0;
    /// In a forked child.
    virtual void after_fork() noexcept = 0;
    /// Failure: pybind11::error_already_set if a signal handler raised meanwhile.
    virtual std::string ask(std::string const& prompt, bool password) = 0;
    /// The kernel is to end when the running cell has ended.
    virtual void stop() = 0;
};

/// Gives the module the functions that the Python half calls.
void define_bridge(pybind11::module_& module);

/// Whom the module calls (GIL: held); null: nobody, and its functions do nothing. Python threads outlive the kernel's
/// other parts.
void connect_bridge(bridge_target* target);

} // namespace xcores::kernel
