// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <nlohmann/json.hpp>
#include <sys/types.h>

#include <xcores/executors/wire.hpp>

/// The side of forkserver.hpp that runs in the zygote: a process with one thread, from which workers are forked.
namespace xcores::executors {

/// Sees to it that this process ends when the other side of its socket does, also while Python is busy: by a signal,
/// for a thread that watches would not survive in the children, and might hold a lock when they are forked.
void end_with_socket();

/// Does what the socket asks for until it is closed: loads inputs, forks workers, and tells how they ended. In a worker
/// it returns when that has ended. Workers end with `kernel`, which started us, not with us.
void be_zygote(const nlohmann::json& hello, wire::inbox&, pid_t kernel);

} // namespace xcores::executors
