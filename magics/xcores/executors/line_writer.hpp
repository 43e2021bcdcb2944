// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <mutex>
#include <string>
#include <string_view>

#include <xcores/run/worker_body.hpp>

namespace xcores::executors {

/// Standard output and error, a line at a time: what was written is in the pipe before the result is sent.
/// Thread: any.
class line_writer {
public:
    void write(run::stream to, std::string_view text); ///< no text: what is held is wanted now
    bool flush();                                      ///< true: something was written since the last time
    void hold();                                       ///< from now on nothing is written
    void pass(); ///< no longer: what was held comes out with the next line or flush()
    void drop(); ///< what is held

private:
    static void flush(run::stream to, std::string& held);
    std::mutex mutex_;
    std::array<std::string, 2> held_;
    bool holding_ = false;
    bool written_ = false;
};

} // namespace xcores::executors
