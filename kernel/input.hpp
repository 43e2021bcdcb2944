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

/// Sends a message on the stdin channel and waits for one; empty if the received one was not valid. This is all that
/// xeus offers. It throws zmq::error_t (EINTR) when a signal arrives.
using stdin_exchange = std::function<std::optional<xeus::xmessage>(xeus::xmessage)>;

/// Asks the client for a line of text and waits for the answer to this very question: answers to earlier ones, which
/// the user gave after an interrupt, are thrown away.
///
/// - Thread: the main thread; `exchange` is called on another one, and on no two at once.
/// - GIL: must not be held; `handler` takes it each time Python's signal handlers are to be run.
/// - Failure: input_abandoned.
xeus::xmessage ask(xeus::xmessage question, stdin_exchange const& exchange, request_handler& handler);

} // namespace xcores::kernel
