// SPDX-License-Identifier: BSD-3-Clause
#pragma once

namespace xcores::kernel {

/// The processes that the notebook has started, and those that these have, as far as they are in this process's group.
/// What has left it on purpose (a session or group of its own, as daemons do) is none of ours, nor are processes in the
/// group that came from elsewhere, where this process does not lead it. Workers of the engine have groups of their own.
///
/// Thread: any. Failure: what cannot be read or has ended is left out.

/// As Ctrl-C in a terminal does.
void interrupt_children() noexcept;

/// SIGTERM, and SIGKILL for those that do not end on it soon. For the end of this process.
void end_children() noexcept;

} // namespace xcores::kernel
