// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>

namespace xcores::cpython {

/// Has Python keep some of the memory that its small objects no longer need. By itself it returns each empty arena
/// (1 MiB) to the system at once; data that comes and goes then costs a page fault every 4 kB, and while the system
/// sees to them the other interpreters of this process wait. At most `most_kept_bytes`, of all interpreters
/// together, are kept.
///
/// - Thread: any; calling it again changes nothing.
/// - GIL: attached to any interpreter.
/// - Lifetime: until the process ends. Who forks may go on in the child.
void keep_arenas() noexcept;

inline constexpr std::size_t most_kept_bytes = std::size_t{16} << 20;

} // namespace xcores::cpython
