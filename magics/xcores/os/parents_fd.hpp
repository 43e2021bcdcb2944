// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <functional>

#include <xcores/os/fd.hpp>

namespace xcores::os {

/// Owns a file descriptor that children made by fork(2) do not keep, as close-on-exec has it for exec(2). Not to be
/// moved.
///
/// - Thread: any. No thread forks while one is opened or closed.
/// - Fork: in the child it is closed; there its owner may be destroyed.
class parents_fd {
public:
    explicit parents_fd(const std::function<unique_fd()>& open); ///< what it throws is passed on
    ~parents_fd();
    parents_fd(const parents_fd&) = delete;
    parents_fd& operator=(const parents_fd&) = delete;

    int get() const noexcept { return fd_.get(); }

private:
    unique_fd fd_;
    unsigned made_in_; ///< fork_count()
};

} // namespace xcores::os
