// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "request_handler.hpp"

#include <functional>
#include <stdexcept>

namespace xcores::kernel {

/// The wait for input was ended by a signal whose Python handler raised; the Python exception is set.
struct input_abandoned : std::runtime_error {
    input_abandoned() : std::runtime_error("the wait for input was interrupted") {}
};

/// Sends a message on the stdin channel, if one is given, and waits for one; empty if a signal arrived first.
using stdin_exchange = std::function<std::optional<xeus::xmessage>(std::optional<xeus::xmessage>)>;

/// Asks the client for a line of text and waits for the answer to this very question: answers to earlier ones, which
/// the user gave after an interrupt, are thrown away.
///
/// - Thread: the main thread; `exchange` is called on another one, and on no two at once.
/// - GIL: must not be held; `handler` takes it each time Python's signal handlers are to be run.
/// - Failure: input_abandoned.
xeus::xmessage ask(xeus::xmessage question, stdin_exchange const& exchange, request_handler& handler);

} // namespace xcores::kernel
