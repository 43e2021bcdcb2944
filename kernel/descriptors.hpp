// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "streams.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

namespace xcores::kernel {

/// The descriptors 1 and 2 of this process, while one lives: pipes whose text is shown under the cell that runs. So
/// appears what subprocesses, forked children, C libraries and other interpreters write, past `sys.stdout`.
///
/// What the kernel itself has to say goes where descriptor 2 led before, to the server's log: log() and std::cerr. When
/// the process crashes, text in the pipes that was not shown yet follows it there.
///
/// - Thread: any. A thread of its own reads the pipes; a writer that is faster than it is shown waits.
/// - GIL: neither needed nor taken.
/// - Lifetime: one at a time.
/// - Failure: std::system_error from the constructor.
class captured_descriptors {
public:
    using text_sink = std::function<void(stream_name, std::string_view)>;

    /// `show` is called with whole characters, on any thread, one call at a time.
    explicit captured_descriptors(text_sink show);
    ~captured_descriptors();
    captured_descriptors(captured_descriptors const&) = delete;
    captured_descriptors& operator=(captured_descriptors const&) = delete;

    int log() const noexcept { return pipes_[1].before; }

    /// Shows what was written before the call. Does not wait for writers.
    void drain();
    /// The same where long enough has passed since the last call for another program to have written something.
    void drain_after_pause();
    /// The cell is over: shows also what C's stdio holds, and what lacks the rest of a character.
    void finish();

    /// In a forked child: its writes still arrive, but it reads nothing.
    void leave_to_parent() noexcept;

private:
    struct pipe {
        int target;      // 1 or 2
        int before = -1; // what the target was
        int read_end = -1;
        std::string cut{}; // the beginning of a character
    };

    void open(pipe& made);
    void restore() noexcept;
    void watch();
    std::size_t read_available();
    std::size_t read_available(pipe& from);
    std::string_view read_noted(pipe const& from, std::size_t most);

    text_sink show_;
    std::mutex reading_;
    std::array<pipe, 2> pipes_{pipe{1}, pipe{2}};
    std::string chunk_;
    std::atomic<std::chrono::steady_clock::time_point> looked_{};
    int wake_ = -1; // eventfd
    std::thread thread_;
};

} // namespace xcores::kernel
