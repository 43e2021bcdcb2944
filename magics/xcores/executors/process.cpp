// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/executors/process.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <map>
#include <optional>
#include <system_error>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <xcores/executors/item_exchange.hpp>
#include <xcores/executors/usage_json.hpp>
#include <xcores/executors/wire.hpp>
#include <xcores/os/child_process.hpp>
#include <xcores/os/clock.hpp>
#include <xcores/os/shared_memory.hpp>

namespace xcores::executors {
namespace {

using os::unique_fd;

[[noreturn]] void throw_system(const char* what) {
    throw std::system_error(errno, std::generic_category(), what);
}

/// Above the numbers that the child expects things at, so that placing one cannot overwrite another.
unique_fd high(unique_fd fd) {
    constexpr int first_free = 16;
    unique_fd moved(::fcntl(fd.get(), F_DUPFD_CLOEXEC, first_free));
    if (!moved)
        throw_system("duplicating a descriptor");
    return moved;
}

/// The child's standard output or error: read without waiting, never cut inside a UTF-8 character.
class output_pipe {
public:
    void open(unique_fd& write_end) {
        int ends[2];
        if (::pipe2(ends, O_CLOEXEC) != 0)
            throw_system("pipe");
        read_end_ = unique_fd(ends[0]);
        write_end = high(unique_fd(ends[1]));
        ::fcntl(read_end_.get(), F_SETFL, O_NONBLOCK);
    }
    int fd() const noexcept { return read_end_.get(); }

    void drain(run::stream from, const run::output_sink& sink) {
        char bytes[16 * 1024];
        for (;;) {
            const auto got = ::read(read_end_.get(), bytes, sizeof bytes);
            if (got < 0 && errno == EINTR)
                continue;
            if (got == 0)
                read_end_.reset(); // nobody can write any more: poll must not report it for ever
            if (got <= 0)
                return;
            held_.append(bytes, static_cast<std::size_t>(got));
            const auto whole = whole_characters();
            if (whole > 0 && sink)
                sink(from, std::string_view(held_).substr(0, whole));
            held_.erase(0, whole);
        }
    }

private:
    std::size_t whole_characters() const {
        const auto size = held_.size();
        for (std::size_t back = 1; back <= std::min<std::size_t>(3, size); ++back) {
            const auto byte = static_cast<unsigned char>(held_[size - back]);
            if ((byte & 0xC0U) == 0x80U) // a continuation: its start lies further back
                continue;
            const std::size_t length = byte >= 0xF0U ? 4 : byte >= 0xE0U ? 3 : byte >= 0xC0U ? 2 : 1;
            return length > back ? size - back : size;
        }
        return size;
    }
    unique_fd read_end_;
    std::string held_;
};

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

    /// Passes output on until there is a message, or nothing when the process has ended; then `ending_` says how.
    std::optional<wire::message> wait_for_message() {
        for (;;) {
            std::array<pollfd, 3> entries{
                {{socket_.get(), POLLIN, 0}, {pipes_[0].fd(), POLLIN, 0}, {pipes_[1].fd(), POLLIN, 0}}};
            if (::poll(entries.data(), entries.size(), -1) < 0 && errno != EINTR)
                throw_system("waiting for a worker process");
            if (entries[0].revents == 0) {
                drain();
                continue;
            }
            auto message = wire::receive(socket_.get());
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
    std::int64_t tasks_ = 0;
    std::shared_ptr<const run::payload> first_input_; ///< until it runs
    bool has_first_input_ = false;                    ///< the process was born with it
    model::outcome ending_;
    std::int64_t thread_id_ = 0;
    bool dead_ = false;
};

} // namespace

nlohmann::json hello_of(const python_description& python) {
    return {{"executable", python.executable},
            {"prefix", python.prefix},
            {"base_prefix", python.base_prefix},
            {"path", python.path},
            {"worker_source", python.worker_source}};
}

std::unique_ptr<run::worker_body> make_process_body(std::shared_ptr<const python_description> python,
                                                    std::shared_ptr<process_source> source) {
    if (!source)
        source = make_spawner(python->program);
    return std::make_unique<process_body>(std::move(python), std::move(source));
}

} // namespace xcores::executors
