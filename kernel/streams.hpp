// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "request.hpp"

#include <array>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace xcores::kernel {

enum class stream_name { out, err };

/// The text that Python code prints, on its way to the front end. One message for each write would drown every
/// client, so text is gathered and published on time, on size, when flushed, and before anything else is published.
/// Writes keep their order, also between stdout and stderr.
///
/// - Thread: any. A thread of its own publishes what nobody flushed.
/// - GIL: neither needed nor taken, so that text appears while a cell holds on to the GIL; callers may hold it.
class streams {
public:
    using publisher = std::function<void(stream_name, request_ptr const&, std::string text)>;

    /// `publish` may be called on any thread, one call at a time.
    explicit streams(publisher publish);
    ~streams();
    streams(streams const&) = delete;
    streams& operator=(streams const&) = delete;

    /// Without a parent, the text belongs to the latest cell.
    void write(stream_name name, request_ptr const& parent, std::string_view text);
    void set_latest(request_ptr cell);

    /// Publishes within milliseconds. Not always at once: a loop that flushes each of thousands of lines would
    /// overrun the queues of ZeroMQ, which then drops messages.
    void flush();

    /// Publishes all, now: what the calling thread wrote is out when it returns.
    void drain();

private:
    struct piece {
        stream_name name;
        request_ptr parent;
        std::string text;
    };

    void publish_late_text();

    publisher publish_;
    std::mutex publishing_; // taken before writing_
    std::mutex writing_;
    std::condition_variable wake_;
    request_ptr latest_;
    std::vector<piece> pieces_;
    std::size_t size_ = 0;
    std::chrono::steady_clock::time_point begun_; // the first of the pieces was written
    std::chrono::steady_clock::time_point published_;
    bool urgent_ = false;
    bool done_ = false;
    std::thread thread_;
};

} // namespace xcores::kernel
