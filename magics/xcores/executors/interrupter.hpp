// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <vector>

#include <Python.h>

namespace xcores::executors {

/// One worker of an interpreter, as seen by those who want to stop it.
struct running_code {
    std::atomic<unsigned long> thread_id = 0; ///< Python's identifier of the worker's thread
    std::atomic<bool> executing = false;      ///< changed only with the interpreter's GIL held
    std::atomic<bool> raised = false;         ///< the same; in a job
    std::atomic<bool> requested = false;      ///< an interrupt is due for the task under way
};

/// Raises KeyboardInterrupt in the threads of one interpreter (PyThreadState_SetAsyncExc).
///
/// - Thread: request() from any; it never waits. A thread of its own attaches and delivers: if code holds the GIL for
///   ever, only that thread waits with it.
/// - Lifetime: close() before the interpreter ends; it waits for a delivery under way, so call it detached.
class interrupter : public std::enable_shared_from_this<interrupter> {
public:
    explicit interrupter(PyInterpreterState* interpreter) : interpreter_(interpreter) {}

    void request(const std::shared_ptr<running_code>&) noexcept;
    void close() noexcept;

private:
    void deliver() noexcept;

    PyInterpreterState* interpreter_;
    std::mutex mutex_;
    std::condition_variable idle_;
    std::vector<std::shared_ptr<running_code>> due_;
    bool delivering_ = false;
    bool closed_ = false;
};

} // namespace xcores::executors
