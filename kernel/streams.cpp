// SPDX-License-Identifier: BSD-3-Clause
#include "streams.hpp"

#include "interrupts.hpp"

namespace xcores::kernel {

using namespace std::chrono_literals;

namespace {

constexpr auto latest = 50ms;
constexpr auto shortest_gap = 5ms;
constexpr std::size_t largest = 64 * 1024;

} // namespace

streams::streams(publisher publish) : publish_(std::move(publish)) {
    thread_ = quiet_thread("xcores output", [this] { publish_late_text(); });
}

streams::~streams() {
    {
        std::lock_guard const lock(writing_);
        done_ = true;
    }
    wake_.notify_all();
    thread_.join();
}

void streams::set_latest(request_ptr cell) {
    std::lock_guard const lock(writing_);
    latest_ = std::move(cell);
}

void streams::write(stream_name name, request_ptr const& given_parent, std::string_view text) {
    bool first = false;
    bool full = false;
    {
        std::lock_guard const lock(writing_);
        auto const& parent = given_parent ? given_parent : latest_;
        first = pieces_.empty();
        if (first) {
            begun_ = std::chrono::steady_clock::now();
        }
        if (first || pieces_.back().name != name || pieces_.back().parent != parent) {
            pieces_.push_back({name, parent, {}});
        }
        pieces_.back().text += text;
        size_ += text.size();
        full = size_ >= largest;
    }
    if (full) {
        drain();
    } else if (first) {
        wake_.notify_one();
    }
}

void streams::flush() {
    {
        std::lock_guard const lock(writing_);
        if (pieces_.empty()) {
            return;
        }
        if (std::chrono::steady_clock::now() - published_ < shortest_gap) {
            urgent_ = true;
            wake_.notify_one();
            return;
        }
    }
    drain();
}

void streams::drain() {
    std::lock_guard const publishing(publishing_);
    std::vector<piece> pieces;
    {
        std::lock_guard const lock(writing_);
        pieces.swap(pieces_);
        size_ = 0;
        urgent_ = false;
        published_ = std::chrono::steady_clock::now();
    }
    for (auto& each : pieces) {
        publish_(each.name, each.parent, std::move(each.text));
    }
}

void streams::publish_late_text() {
    std::unique_lock lock(writing_);
    while (!done_) {
        if (pieces_.empty()) {
            wake_.wait(lock);
            continue;
        }
        auto const due = urgent_ ? published_ + shortest_gap : begun_ + latest;
        if (std::chrono::steady_clock::now() < due) {
            wake_.wait_until(lock, due); // others may publish meanwhile
            continue;
        }
        lock.unlock();
        drain();
        lock.lock();
    }
    lock.unlock();
    drain();
}

} // namespace xcores::kernel
