// SPDX-License-Identifier: BSD-3-Clause
#include "input.hpp"

#include "interrupts.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <exception>
#include <mutex>
#include <thread>

namespace xcores::kernel {

namespace {

/// Is it an answer, and to this question? Clients name as parent the question, the request that asked it, or nothing.
bool answers(xeus::xmessage const& reply, std::string const& question, std::string const& asking_request) {
    auto const& content = reply.content();
    auto const value = content.is_object() ? content.find("value") : content.end();
    if (value == content.end() || !value->is_string()) {
        return false;
    }
    auto const& header = reply.parent_header();
    auto const parent = header.find("msg_id");
    return parent == header.end() || *parent == "" || *parent == question || *parent == asking_request;
}

/// The exchange of one question, on a thread of its own: only there may a signal end the receive.
class conversation {
public:
    conversation(xeus::xmessage question, stdin_exchange const& exchange)
        : exchange_(exchange), id_(question.header().value("msg_id", "")),
          asking_request_(question.parent_header().value("msg_id", "")), question_(std::move(question)),
          thread_(quiet_thread("xcores input", [this] { talk(); })) {}

    ~conversation() {
        if (!wait_for_end()) {
            abandoned_ = true;
            wake_up_calls const wake(thread_.native_handle());
            thread_.join();
        } else {
            thread_.join();
        }
    }
    conversation(conversation const&) = delete;
    conversation& operator=(conversation const&) = delete;

    /// Waits for a moment; true if there is nothing more to wait for.
    bool wait_for_end() {
        std::unique_lock lock(mutex_);
        return end_.wait_for(lock, std::chrono::milliseconds(20), [this] { return ended_; });
    }

    xeus::xmessage take_reply() {
        if (failure_) {
            std::rethrow_exception(failure_);
        }
        return std::move(*reply_);
    }

private:
    void talk() {
        sigset_t wake_up;
        sigemptyset(&wake_up);
        sigaddset(&wake_up, SIGURG);
        pthread_sigmask(SIG_UNBLOCK, &wake_up, nullptr);
        try {
            {
                wake_up_calls const only_what_is_there;
                while (exchange_(std::nullopt)) { // late answers to earlier questions
                }
            }
            reply_ = exchange_(std::move(question_));
            while (!abandoned_ && !(reply_ && answers(*reply_, id_, asking_request_))) {
                reply_ = exchange_(std::nullopt);
            }
        } catch (...) {
            failure_ = std::current_exception();
        }
        std::lock_guard const lock(mutex_);
        ended_ = true;
        end_.notify_all();
    }

    stdin_exchange const& exchange_;
    std::string id_;
    std::string asking_request_;
    xeus::xmessage question_;
    std::optional<xeus::xmessage> reply_;
    std::exception_ptr failure_;
    std::atomic<bool> abandoned_ = false;
    std::mutex mutex_;
    std::condition_variable end_;
    bool ended_ = false;
    std::thread thread_;
};

} // namespace

xeus::xmessage ask(xeus::xmessage question, stdin_exchange const& exchange, request_handler& handler) {
    conversation conversation(std::move(question), exchange);
    while (!conversation.wait_for_end()) {
        if (!handler.keep_waiting()) {
            throw input_abandoned();
        }
    }
    return conversation.take_reply();
}

} // namespace xcores::kernel
