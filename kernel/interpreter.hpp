// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "bridge.hpp"
#include "descriptors.hpp"
#include "interrupts.hpp"
#include "request_handler.hpp"
#include "server.hpp"
#include "shutdown.hpp"
#include "streams.hpp"

#include <pybind11/pybind11.h>

#include <atomic>
#include <optional>
#include <unistd.h>
#include <xeus/xinterpreter.hpp>

namespace xcores::kernel {

/// IPython behind xeus: each request is handed to the kernel's Python half, which answers with the content of the
/// reply.
///
/// - Thread: the main thread, except for interrupt and shutdown requests, which come on the control thread.
/// - GIL: not held by callers; taken for each request, and released while the kernel waits for messages.
/// - Lifetime: close() before Python ends.
/// - Failure: what user code raises is in the reply; nothing is thrown.
class interpreter final : public xeus::xinterpreter, public request_handler, private bridge_target {
public:
    interpreter(interrupts& running, shutdown& stop) : interrupts_(running), shutdown_(stop) {}
    ~interpreter() override;

    /// Publishing goes through `server`, from now until close().
    void connect(server& server);

    /// Lets go of every Python object, and of the server.
    void close();

    void begin(request_ptr request) override;
    void end() noexcept override { under_way_.reset(); }
    bool answers(std::string const& type) const override;
    std::optional<nlohmann::json> answer(std::string const& type, xeus::xmessage const& message) override;
    int execution_count() const noexcept override { return execution_count_; }
    void signalled() noexcept override;
    bool keep_waiting() override;

private:
    void configure_impl() override;
    void execute_request_impl(send_reply_callback send_reply, int xeus_count, std::string const& code,
                              xeus::execute_request_config config, nlohmann::json user_expressions) override;
    nlohmann::json complete_request_impl(std::string const& code, int cursor) override;
    nlohmann::json inspect_request_impl(std::string const& code, int cursor, int detail_level) override;
    nlohmann::json is_complete_request_impl(std::string const& code) override;
    nlohmann::json kernel_info_request_impl() override { return kernel_info_; }
    nlohmann::json shutdown_request_impl(bool restart) override;
    nlohmann::json interrupt_request_impl() override;

    std::uint64_t publish(std::string const& type, request_ptr parent, nlohmann::json content, nlohmann::json metadata,
                          xeus::buffer_sequence buffers) override;
    std::uint64_t outputs(request_ptr parent) override;
    void write(stream_name name, request_ptr parent, std::string_view text) override;
    void flush() override;
    int capture_descriptors() override;
    void after_fork() noexcept override;
    std::string ask(std::string const& prompt, bool password) override;
    void stop() override { stop_after_reply_ = true; }

    template <class... Arguments>
    nlohmann::json call(char const* function, Arguments&&... arguments);
    template <class Function>
    nlohmann::json content_of(Function make_reply);
    void drain();
    void deliver_late_signals() noexcept;
    void handle_signals() noexcept;
    request_ptr or_latest(request_ptr parent) const { return parent ? std::move(parent) : latest_; }

    interrupts& interrupts_;
    shutdown& shutdown_;
    server* server_ = nullptr;
    std::optional<streams> streams_;
    std::optional<captured_descriptors> descriptors_;
    pybind11::object python_half_; // the module, and its object that answers requests
    pybind11::object kernel_;
    std::optional<interrupts::scope> under_way_;
    request_ptr latest_; // guarded by the GIL
    std::string input_;
    pid_t const process_ = getpid();
    nlohmann::json kernel_info_;
    std::atomic<int> execution_count_ = 1;
    bool stop_after_reply_ = false;
};

} // namespace xcores::kernel
