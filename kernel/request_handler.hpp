// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "request.hpp"

#include <optional>
#include <string>
#include <xeus/xmessage.hpp>

namespace xcores::kernel {

/// What the server needs of the interpreter, beyond what xeus asks of it.
///
/// - Thread: all on the main (shell) thread.
/// - GIL: not held by the caller.
class request_handler {
public:
    virtual ~request_handler() = default;

    /// A request arrived and is about to be handled; from here on an interrupt is meant for it.
    virtual void begin(request_ptr request) = 0;

    /// It has been handled, in whatever way.
    virtual void end() noexcept = 0;

    /// Does answer() handle this type of message? All others go to xeus.
    virtual bool answers(std::string const& type) const = 0;

    /// Handles the message; the content of the reply, if its type has one. Never throws for what user code did.
    virtual std::optional<nlohmann::json> answer(std::string const& type, xeus::xmessage const& message) = 0;

    /// The number that the next cell gets, or the running one has.
    virtual int execution_count() const noexcept = 0;

    /// A signal woke the thread while it waited for messages: Python's handlers are to be run.
    virtual void signalled() noexcept = 0;

    /// The same while a cell waits for input. False if the wait is over: a Python exception is set.
    virtual bool keep_waiting() = 0;
};

} // namespace xcores::kernel
