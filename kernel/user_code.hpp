// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <pybind11/pybind11.h>

namespace xcores::kernel::user_code {

/// Where SIGINT may raise KeyboardInterrupt: in the user's code and nowhere else. Raised amid the kernel's own Python
/// code or asyncio's, it would leave those in a state that no later cell recovers from.
///
/// - Thread: the main thread, where Python runs signal handlers.
/// - GIL: held.

/// Forgets an interrupt that was meant for an earlier request.
void begin();

/// Calls the first argument with the others; an interrupt raises meanwhile.
pybind11::object run(pybind11::args const& function_and_arguments);

/// Calls the first argument with the others; an interrupt that comes meanwhile is kept for the next step of user code.
pybind11::object run_atomically(pybind11::args const& function_and_arguments);

/// An interrupt has ended the cell's code. Who presses the stop button several times means that code: for one second,
/// further interrupts are dropped, so that they do not hit what shows the error or runs after the cell.
void ended_by_interrupt();

/// One step of a coroutine: `step(value)`, an interrupt raises meanwhile. If one came since begin() or the step before,
/// while no user code ran, the step is `interrupt(KeyboardInterrupt)` instead.
pybind11::object run_step(pybind11::object const& interrupt, pybind11::object const& step,
                          pybind11::object const& value);

/// While a cell awaits something, an interrupt calls this, to cancel it. A second interrupt raises all the same: what
/// runs then is another task, which does not let the cancellation through. None ends it.
void set_cancel(pybind11::object cancel);

/// Python's handler of SIGINT.
void on_signal(int number, pybind11::object const& frame);

/// While one lives, interrupts raise.
class scope {
public:
    scope();
    ~scope();
    scope(scope const&) = delete;
    scope& operator=(scope const&) = delete;
};

} // namespace xcores::kernel::user_code
