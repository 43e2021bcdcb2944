// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <xcores/run/worker_body.hpp>

/// What becomes of a copy of a worker, where the code of a cell or a job forks: the child has what it needs to run on,
/// and nothing by which it could be taken for the worker.
namespace xcores::executors {

/// From now on children of this worker process, or zygote, are cut off from the socket and the shared memory, and do
/// not handle signals with `ending`, which ends all. `socket`: where it is, and stays. Thread: main, once. Failure:
/// std::system_error.
void cut_off_copies(int socket, void (*ending)(int));

/// While one lives, a fork makes a worker.
class worker_fork {
public:
    worker_fork() noexcept;
    ~worker_fork();
    worker_fork(const worker_fork&) = delete;
    worker_fork& operator=(const worker_fork&) = delete;
};

/// This process is such a copy, of a worker process. Thread: any.
bool is_copy() noexcept;

/// The end of a copy, where the code has ended that forked it: its error goes to standard error, its exit status is as
/// that of a program.
[[noreturn]] void end_copy(const model::outcome&) noexcept;

} // namespace xcores::executors
