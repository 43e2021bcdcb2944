// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace xcores::run {

/// Bytes that somebody else owns and keeps alive as long as `owner` exists.
struct buffer {
    const std::byte* data = nullptr;
    std::size_t size = 0;
    std::shared_ptr<const void> owner;
    bool constant = false; ///< the bytes are the same as long as the owner exists
    bool writable = false; ///< who is given it may change the bytes: nobody else looks at them
};

/// What goes into a worker and comes back: opaque here. Buffers are never copied within a process.
struct payload {
    std::string data;
    std::vector<buffer> buffers;
    std::shared_ptr<void> object{}; ///< by reference, for workers that share our objects
    std::shared_ptr<void> origin{}; ///< of a job's item: for whom the job is done, and so under which cell it prints
};

} // namespace xcores::run
