// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/executors/process.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <system_error>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>

#include <xcores/cpython/job_code.hpp>
#include <xcores/executors/item_exchange.hpp>
#include <xcores/executors/job_wire.hpp>
#include <xcores/executors/output_pipe.hpp>
#include <xcores/executors/usage_json.hpp>
#include <xcores/executors/wire.hpp>
#include <xcores/os/child_process.hpp>
#include <xcores/os/clock.hpp>
#include <xcores/os/event.hpp>
#include <xcores/os/shared_memory.hpp>

namespace xcores::executors {
namespace {

using os::unique_fd;

[[noreturn]] void throw_system(const char* what) {
    throw std::system_error(errno, std::generic_category(), what);
}

class process_body final : public run::worker_body {
public:
    process_body(std::shared_ptr<const python_description> python, std::shared_ptr<process_source> source)
        : python_(std::move(python)), source_(std::move(source)) {}

    void foresee(const std::shared_ptr<const run::payload>& input) override { first_input_ = input; }

    void open() override {
        pipes_ = {}; // of the process before, if there was one
        dead_ = false;
        tasks_ = 0;
        start();
        std::string complaint;
        sink_ = [&complaint](run::stream, std::string_view text) { complaint += text; };
        const auto answer = wait_for_message();
        sink_ = nullptr;
        if (!answer)
            throw std::runtime_error("the worker process ended while starting (" + ending_.message + ") " + complaint);
        if (answer->what == wire::kind::failed)
            throw std::runtime_error(answer->fields.at("message").get<std::string>());
        thread_id_ = answer->fields.at("thread_id");
    }

    void prepare(const run::task& what, const run::output_sink& sink) override {
        sink_ = sink;
        items_ = what.items;
        log().clear();
        memory().results.take(); // nobody waits for these any more
        const bool inherited = std::exchange(has_first_input_, false) && what.input == first_input_;
        const auto shared = python_->inputs->of(what.input);
        if (!shared->empty())
            inputs_[tasks_ + 1] = shared;
        send(wire::kind::task,
             {{"index", what.index},
              {"workers", what.workers},
              {"sample_period", what.sample_period.count()},
              {"items", what.items != nullptr},
              {"core", what.core},
              {"number", ++tasks_},
              {"inherited", inherited}},
             inherited ? wire::extras{} : wire::extras{what.input.get(), shared.get(), {}});
        const auto answer = wait_for_message();
        if (!answer)
            throw std::runtime_error("the worker process ended while it received its data: " + ending_.message);
        if (answer->what == wire::kind::failed)
            throw std::runtime_error(answer->fields.at("message").get<std::string>());
        let_go_of_inputs(answer->fields);
    }

    run::usage execute() override {
        source_->forget(std::exchange(first_input_, nullptr));
        const auto start = os::now();
        send(wire::kind::go, {});
        auto answer = wait_for_end();
        if (answer) {
            reply_ = reply_from(answer->fields);
            reply_.output = std::move(answer->content);
            let_go_of_inputs(answer->fields);
            return usage_from(answer->fields);
        }
        reply_ = {};
        reply_.how = ending_;
        run::usage used; // all that is known of one that is gone
        used.run = model::interval{start, os::now()};
        return used;
    }

    run::reply collect() override { return std::move(reply_); }

    void serve(run::job_source& from, const run::serving& how) override {
        source_->forget(std::exchange(first_input_, nullptr));
        sink_ = how.output;
        log().clear();
        send(wire::kind::serve, {{"workers", how.workers}, {"sample_period", how.sample_period.count()}});
        sent_.clear();
        sends_ = 0;
        own_.reset();
        while (!dead_ && !from.closed()) {
            if (from.park())
                answer_handed(from);
            else if (auto one = from.next())
                answer(from, std::make_shared<run::call>(std::move(one)));
        }
        send(wire::kind::leave, {});
        sink_ = nullptr;
    }

    // While this worker is parked; the call is sent on the thread of who has it.
    void take_on(const std::shared_ptr<run::call>& one) noexcept override {
        try {
            const std::lock_guard lock(begin_mutex_);
            if (one && one == own_) // the worker looked for another reason, and was faster
                return;
            begun_ = one && !dead_ && is_small(*one) && send_call(*one);
            if (!begun_)
                look_.notify();
        } catch (const std::exception&) {
            look_.notify();
        }
    }

    void close() noexcept override {
        try {
            send(wire::kind::close, {});
        } catch (const std::exception&) { // already gone, which is what we want
        }
        constexpr int patience_ms = 1000; // for its own exit handlers
        pollfd entry{socket_.get(), POLLRDHUP, 0};
        ::poll(&entry, 1, patience_ms);
        socket_.reset();
        process_.reset();
    }

    void interrupt() noexcept override {
        if (process_)
            process_->signal(SIGINT);
    }
    bool terminate() noexcept override {
        if (process_)
            process_->signal(SIGKILL);
        return process_ != nullptr;
    }
    bool alive() const noexcept override { return !dead_; }
    const run::sample_log* samples() const noexcept override { return shared_ ? &memory().samples : nullptr; }
    run::nanoseconds cpu_time() const noexcept override {
        clockid_t clock{};
        return process_ && ::clock_getcpuclockid(process_->id(), &clock) == 0 ? os::read_clock(clock)
                                                                              : run::nanoseconds{-1};
    }
    run::gil_identity gil() const override {
        return {static_cast<std::uintptr_t>(process_->id()), "process " + std::to_string(process_->id())};
    }
    std::int64_t process_id() const noexcept override { return process_ ? process_->id() : 0; }
    std::int64_t native_thread_id() const noexcept override { return thread_id_; }
    bool shares_process() const noexcept override { return false; }
    std::optional<std::size_t> shares_from() const noexcept override { return wire::shared_from; }

private:
    worker_memory& memory() const { return *static_cast<worker_memory*>(shared_->data()); }
    run::sample_log& log() const { return memory().samples; }

    void start() {
        int ends[2];
        if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
            throw_system("socketpair");
        socket_ = unique_fd(ends[0]);
        inbox_.emplace(socket_.get());
        const auto theirs = high(unique_fd(ends[1]));
        unique_fd output;
        unique_fd errors;
        pipes_[0].open(output);
        pipes_[1].open(errors);
        shared_.emplace(os::shared_memory::create(sizeof(worker_memory)));
        const auto log_fd = high(unique_fd(::fcntl(shared_->fd(), F_DUPFD_CLOEXEC, 0)));
        auto started = source_->start({output.get(), errors.get(), theirs.get(), log_fd.get()}, first_input_);
        process_ = std::move(started.process);
        has_first_input_ = started.has_input;
        if (!started.has_python)
            wire::send(socket_.get(), wire::kind::hello, hello_of(*python_));
    }

    void send(wire::kind what, const nlohmann::json& fields, const wire::extras& with = {}) {
        send_or_gone([&] { wire::send(socket_.get(), what, fields, with); });
    }

    template <typename Sending>
    void send_or_gone(Sending&& sending) {
        try {
            sending();
        } catch (const std::system_error& error) {
            if (error.code().value() != EPIPE && error.code().value() != ECONNRESET)
                throw;
            // It is gone: the wait for its answer will say how.
        }
    }

    /// Hands out items until there is another message, or nothing.
    std::optional<wire::message> wait_for_end() {
        for (;;) {
            auto message = wait_for_message();
            const bool more = message && (message->what == wire::kind::next || message->what == wire::kind::results);
            if (items_)
                accept_results(*items_, memory().results, more ? std::move(*message) : wire::message{});
            if (!more)
                return message;
            if (message->what == wire::kind::results)
                send(wire::kind::taken, {});
            else
                send_or_gone([&] { send_items(socket_.get(), items_->take()); });
        }
    }

    /// Sending it does not wait for the process to read.
    static bool is_small(const run::call& one) {
        constexpr std::size_t most = 32 * 1024;
        std::size_t size = one.of->what()->code.data.size();
        for (const auto& input : one.inputs)
            size = input.buffers.empty() ? size + input.data.size() : most;
        return size < most && one.of->what()->code.buffers.empty();
    }

    bool send_call(const run::call& one) {
        auto packed = pack_call(one, remembered(one.of->what()->number));
        if (packed.buffers.empty())
            return wire::send_content(socket_.get(), wire::kind::call, packed);
        const auto content = std::make_shared<const run::payload>(std::move(packed));
        const auto shared = python_->inputs->of(content);
        nlohmann::json fields;
        if (!shared->empty()) {
            inputs_[++tasks_] = shared;
            fields["number"] = tasks_;
        }
        return wire::send_content(socket_.get(), wire::kind::call, *content, fields, shared.get());
    }

    /// Waits until a call was handed over and is answered, or it is to look, or the process ends.
    void answer_handed(run::job_source& from) {
        auto message = wait_for_message(waiting::parked);
        const auto one = from.unpark();
        bool sent = false;
        {
            const std::lock_guard lock(begin_mutex_); // nobody is in the middle of sending any more
            sent = std::exchange(begun_, false);
            own_ = one;
        }
        if (one && sent && !message && !dead_)
            message = wait_for_message();
        if (one && sent)
            finish(from, *one, message);
        else if (one)
            answer(from, one);
    }

    /// Has one call answered.
    void answer(run::job_source& from, const std::shared_ptr<run::call>& one) {
        if (dead_ || !send_call(*one)) {
            while (!dead_ && wait_for_message()) { // until it is known how it ended
            }
            from.give_back(std::move(*one));
            return;
        }
        finish(from, *one, wait_for_message());
    }

    void finish(run::job_source& from, run::call& one, const std::optional<wire::message>& message) {
        if (!message && inbox_->left_something_unread()) { // it was dying already: the call never began
            from.give_back(std::move(one));
            return;
        }
        run::answer given;
        if (message && !message->fields.is_null())
            let_go_of_inputs(message->fields);
        if (message)
            given = unpack_answer(message->content);
        else
            given.how = ending_;
        if (given.how.kind != model::outcome_kind::returned)
            sent_.erase(one.of->what()->number); // perhaps it could not be rebuilt
        from.finish(std::move(one), std::move(given));
    }

    /// What the process knows of a function, before it is sent a call of it.
    functions remembered(std::uint64_t number) {
        if (sent_.contains(number))
            return functions::known;
        const bool full = ++sends_ >= cpython::job_code::capacity;
        if (full) {
            sent_.clear();
            sends_ = 0;
        }
        sent_.insert(number);
        return full ? functions::enclosed_afresh : functions::enclosed;
    }

    enum class waiting { for_answer, parked };

    /// Passes output on until there is a message, or nothing when the process has ended (then `ending_` says how), or,
    /// for one who is parked, when it is to look.
    std::optional<wire::message> wait_for_message(waiting how = waiting::for_answer) {
        for (;;) {
            std::array<pollfd, 4> entries{{{socket_.get(), POLLIN, 0},
                                           {pipes_[0].fd(), POLLIN, 0},
                                           {pipes_[1].fd(), POLLIN, 0},
                                           {how == waiting::parked ? look_.fd() : -1, POLLIN, 0}}};
            if (!inbox_->has_more() && ::poll(entries.data(), entries.size(), -1) < 0 && errno != EINTR)
                throw_system("waiting for a worker process");
            if (entries[3].revents != 0) {
                look_.wait(std::chrono::nanoseconds{0});
                return std::nullopt;
            }
            if (entries[0].revents == 0 && !inbox_->has_more()) {
                drain();
                continue;
            }
            auto message = inbox_->receive();
            if (!message || message->what != wire::kind::answered)
                drain(); // what was written before the message is in the pipes by now
            if (!message)
                reap();
            return message;
        }
    }

    void let_go_of_inputs(const nlohmann::json& fields) {
        const auto kept = fields.at("keeps").get<std::vector<std::int64_t>>();
        std::erase_if(inputs_, [&kept](const auto& one) { return std::ranges::find(kept, one.first) == kept.end(); });
    }

    void drain() {
        pipes_[0].drain(run::stream::standard_output, sink_);
        pipes_[1].drain(run::stream::standard_error, sink_);
    }

    void reap() {
        const std::lock_guard lock(begin_mutex_);
        dead_ = true;
        inputs_.clear();
        const auto status = process_->wait();
        drain();
        using enum model::outcome_kind;
        if (status.signal)
            ending_ = {crashed, {}, os::signal_name(*status.signal), {}, status.signal, false};
        else if (status.code)
            ending_ = {exited, {}, "exit code " + std::to_string(*status.code), {}, status.code, false};
        else
            ending_ = {exited, {}, "exit code unknown", {}, std::nullopt, false};
    }

    const std::shared_ptr<const python_description> python_;
    const std::shared_ptr<process_source> source_;
    std::unique_ptr<worker_process> process_;
    std::optional<os::shared_memory> shared_;
    unique_fd socket_;
    std::array<output_pipe, 2> pipes_;
    run::output_sink sink_;
    run::reply reply_;
    std::shared_ptr<run::item_feed> items_;
    /// What the worker may still look at: for the task under way, or because the cell has kept it.
    std::map<std::int64_t, std::shared_ptr<const wire::shared_buffers>> inputs_; ///< by the number of the task
    std::int64_t tasks_ = 0;                                                     ///< and calls with large data
    std::shared_ptr<const run::payload> first_input_;                            ///< until it runs
    bool has_first_input_ = false;                                               ///< the process was born with it
    model::outcome ending_;
    std::optional<wire::inbox> inbox_;
    os::event look_;
    std::mutex begin_mutex_;
    bool begun_ = false;             ///< the call that was handed over is sent
    std::shared_ptr<run::call> own_; ///< the latest one that the worker has taken
    std::set<std::uint64_t> sent_;   ///< functions
    std::size_t sends_ = 0;
    std::int64_t thread_id_ = 0;
    std::atomic<bool> dead_ = false;
};

} // namespace

std::vector<std::string> command_of(const python_description& python, const std::string& role) {
    if (python.executable.empty())
        throw std::runtime_error("sys.executable is empty: process workers cannot be started without a python3");
    // Without `site`: the parent's path is given whole, nothing is left to find. And __main__ stays empty.
    constexpr auto start = R"(exec("""
import sys
sys.path.insert(0, sys.argv[1])
import _process_worker
sys.exit(_process_worker.run(int(sys.argv[2]), sys.argv[3] == "zygote"))
""", {}))";
    return {python.executable, "-S", "-c", start, python.modules, std::to_string(::getpid()), role};
}

nlohmann::json hello_of(const python_description& python) {
    return {{"prefix", python.prefix},
            {"base_prefix", python.base_prefix},
            {"path", python.path},
            {"worker_source", python.worker_source}};
}

std::unique_ptr<run::worker_body> make_process_body(std::shared_ptr<const python_description> python,
                                                    std::shared_ptr<process_source> source) {
    if (!source)
        source = make_spawner(python);
    return std::make_unique<process_body>(std::move(python), std::move(source));
}

} // namespace xcores::executors
