// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/executors/process.hpp>

#include <algorithm>
#include <csignal>
#include <map>
#include <optional>
#include <stop_token>

#include <time.h>

#include <xcores/executors/item_exchange.hpp>
#include <xcores/executors/job_wire.hpp>
#include <xcores/executors/latest_origin.hpp>
#include <xcores/executors/usage_json.hpp>
#include <xcores/executors/worker_link.hpp>
#include <xcores/os/clock.hpp>
#include <xcores/os/shared_memory.hpp>
#include <xcores/os/thread_probe.hpp>

namespace xcores::executors {
namespace {

class process_body final : public run::worker_body {
public:
    process_body(std::shared_ptr<const python_description> python, std::shared_ptr<process_source> source)
        : python_(std::move(python)), source_(std::move(source)) {}

    void foresee(const std::shared_ptr<const run::payload>& input) override { first_input_ = input; }

    void open() override {
        os::block_signals_on_this_thread(); // no code of the notebook runs here, and a read should not fail half-way
        link_.begin();
        inputs_.clear(); // of the process before, if there was one
        tasks_ = 0;
        start();
        std::string complaint;
        link_.print_to([&complaint](run::stream, std::string_view text) { complaint += text; });
        const auto answer = link_.wait_for_message();
        link_.print_to(nullptr);
        if (!answer)
            throw std::runtime_error("the worker process ended while starting (" + link_.ending().message + ") " +
                                     complaint);
        if (!link_.understood(
                [&] { thread_id_ = worker_link::expected(*answer, wire::kind::ready).fields.at("thread_id"); }))
            throw std::runtime_error(link_.ending().message);
    }

    void prepare(const run::task& what, const run::output_sink& sink) override {
        link_.print_to(sink);
        items_ = what.items;
        log().clear();
        memory().results.take(); // nobody waits for these any more
        const bool inherited = std::exchange(has_first_input_, false) && what.input == first_input_;
        const auto shared = python_->inputs->of(what.input);
        if (!shared->empty())
            inputs_[tasks_ + 1] = shared;
        link_.send(wire::kind::task,
                   {{"index", what.index},
                    {"workers", what.workers},
                    {"sample_period", what.sample_period.count()},
                    {"items", what.items != nullptr},
                    {"core", what.core},
                    {"number", ++tasks_},
                    {"inherited", inherited}},
                   inherited ? wire::extras{} : wire::extras{what.input.get(), shared.get(), {}});
        const auto answer = link_.wait_for_message();
        if (!answer)
            throw std::runtime_error("the worker process ended while it received its data: " + link_.ending().message);
        if (answer->what == wire::kind::failed)
            throw std::runtime_error(worker_link::reason_of(*answer));
        if (!link_.understood([&] { accept_prepared(worker_link::expected(*answer, wire::kind::prepared).fields); }))
            throw std::runtime_error(link_.ending().message);
    }

    run::nanoseconds import_time() const noexcept override { return import_time_; }

    run::usage execute() override {
        source_->forget(std::exchange(first_input_, nullptr));
        const auto start = os::now();
        run::usage used;
        if (link_.understood([&] { link_.send(wire::kind::go); }))
            if (auto answer = wait_for_end();
                answer && link_.understood([&] { used = accept_end(std::move(*answer)); }))
                return used;
        reply_ = {};
        reply_.how = link_.ending();
        used = {}; // all that is known of one that is gone
        used.run = model::interval{start, os::now()};
        return used;
    }

    run::reply collect() override { return std::move(reply_); }

    void serve(run::job_source& from, const run::serving& how) override {
        source_->forget(std::exchange(first_input_, nullptr));
        origin_.reset();
        link_.print_to(origin_.sink_to(how.output));
        log().clear();
        link_.send(wire::kind::serve, {{"workers", how.workers}, {"sample_period", how.sample_period.count()}});
        sent_ = {};
        own_.reset();
        while (link_.alive() && !from.closed()) {
            if (from.park())
                answer_handed(from);
            else if (auto one = from.next())
                answer(from, std::make_shared<run::call>(std::move(one)));
        }
        link_.send(wire::kind::leave, {});
        link_.print_to(nullptr);
    }

    // While this worker is parked; the call is sent on the thread of who has it.
    void take_on(const std::shared_ptr<run::call>& one) noexcept override {
        try {
            const auto lock = link_.lock();
            if (one && one == own_) // the worker looked for another reason, and was faster
                return;
            if (one)
                origin_.set(*one);
            begun_ = one && link_.alive() && goes_at_once(*one) && send_call(*one);
            if (!begun_)
                link_.wake();
        } catch (const std::exception&) {
            link_.wake();
        }
    }

    void close() noexcept override { link_.close(); }

    void interrupt() noexcept override {
        if (link_.process())
            link_.process()->signal_group(SIGINT);
    }
    bool terminate() noexcept override {
        if (link_.process())
            link_.process()->signal_group(SIGKILL);
        return link_.process() != nullptr;
    }
    bool give_up() noexcept override { return link_.give_up(); }
    // Also of one that waits for a task, which nobody watches.
    bool alive() const noexcept override { return link_.alive() && !link_.has_ended(); }
    const run::sample_log* samples() const noexcept override { return shared_ ? &memory().samples : nullptr; }
    run::nanoseconds cpu_time() const noexcept override {
        clockid_t clock{};
        return link_.process() && ::clock_getcpuclockid(link_.process()->id(), &clock) == 0 ? os::read_clock(clock)
                                                                                            : run::nanoseconds{-1};
    }
    run::gil_identity gil() const override {
        return {static_cast<std::uintptr_t>(link_.process()->id()), "process " + std::to_string(link_.process()->id())};
    }
    std::int64_t process_id() const noexcept override { return link_.process() ? link_.process()->id() : 0; }
    std::int64_t native_thread_id() const noexcept override { return thread_id_; }
    bool shares_process() const noexcept override { return false; }
    std::optional<std::size_t> shares_from() const noexcept override { return wire::shared_from; }

private:
    worker_memory& memory() const { return *static_cast<worker_memory*>(shared_->data()); }
    run::sample_log& log() const { return memory().samples; }

    void start() {
        const auto theirs = link_.open();
        shared_.emplace(os::shared_memory::create(sizeof(worker_memory)));
        const auto log_fd = high_copy(shared_->fd());
        auto started = source_->start({theirs.output.get(), theirs.errors.get(), theirs.socket.get(), log_fd.get()},
                                      first_input_, link_.opening());
        link_.attach(std::move(started.process));
        has_first_input_ = started.has_input;
        import_time_ = started.import_time;
        if (!started.has_python)
            wire::send(link_.socket(), wire::kind::hello, hello_of(*python_));
    }

    /// Hands out items until there is another message, or nothing.
    std::optional<wire::message> wait_for_end() {
        for (;;) {
            auto message = link_.wait_for_message();
            const bool more =
                items_ && message && (message->what == wire::kind::next || message->what == wire::kind::results);
            const bool results = more && message->what == wire::kind::results;
            bool goes_on = false;
            const bool whole = !items_ || link_.understood([&] {
                goes_on = accept_results(*items_, memory().results, more ? std::move(*message) : wire::message{});
            });
            if (!more || !whole)
                return whole ? std::move(message) : std::nullopt;
            if (!link_.understood([&] {
                    results ? link_.send(wire::kind::taken, taken_fields(goes_on))
                            : worker_link::unless_gone([&] { send_items(link_.socket(), items_->take()); });
                }))
                return std::nullopt;
        }
    }

    run::usage accept_end(wire::message answer) {
        worker_link::expected(answer, wire::kind::done);
        const auto used = usage_from(answer.fields);
        reply_ = reply_from(answer.fields);
        reply_.output = std::move(answer.content);
        let_go_of_inputs(answer.fields);
        return used;
    }

    bool send_call(const run::call& one) {
        auto packed = pack_call(one, sent_.before_sending(one.of->what()->number));
        if (packed.buffers.empty())
            return wire::send_content(link_.socket(), wire::kind::call, packed);
        const auto content = std::make_shared<const run::payload>(std::move(packed));
        const auto shared = python_->inputs->of(content);
        nlohmann::json fields;
        if (!shared->empty()) {
            inputs_[++tasks_] = shared;
            fields["number"] = tasks_;
        }
        return wire::send_content(link_.socket(), wire::kind::call, *content, fields, shared.get());
    }

    /// Waits until a call was handed over and is answered, or it is to look, or the process ends.
    void answer_handed(run::job_source& from) {
        auto message = link_.wait_for_message(worker_link::waiting::parked);
        const auto one = from.unpark();
        bool sent = false;
        {
            const auto lock = link_.lock(); // nobody is in the middle of sending any more
            sent = std::exchange(begun_, false);
            own_ = one;
        }
        if (one && sent && !message && link_.alive())
            message = link_.wait_for_message();
        if (one && sent)
            finish(from, *one, std::move(message));
        else if (message) // to no call
            link_.understood([&] { worker_link::expected(*message, wire::kind::leave); });
        if (one && !sent)
            answer(from, one);
    }

    /// Has one call answered.
    void answer(run::job_source& from, const std::shared_ptr<run::call>& one) {
        origin_.set(*one);
        bool sent = false;
        const bool refused = link_.alive() && !link_.understood([&] { sent = send_call(*one); });
        if (sent || refused) {
            finish(from, *one, sent ? link_.wait_for_message() : std::nullopt);
            return;
        }
        while (link_.alive() && link_.wait_for_message()) { // until it is known how it ended
        }
        from.give_back(std::move(*one));
    }

    /// A call always ends here, whatever the process sent or did not send.
    void finish(run::job_source& from, run::call& one, std::optional<wire::message> message) {
        if (!message && link_.in_order() && link_.left_something_unread()) { // it was dying: the call never began
            from.give_back(std::move(one));
            return;
        }
        run::answer given;
        if (!message || !link_.understood([&] { given = accept_answer(*message, one.inputs.size()); })) {
            given = {};
            given.how = link_.ending();
        }
        if (given.how.kind != model::outcome_kind::returned)
            sent_.forget(one.of->what()->number); // perhaps it could not be rebuilt
        from.finish(std::move(one), std::move(given));
    }

    run::answer accept_answer(const wire::message& message, std::size_t calls) {
        if (message.what != wire::kind::printed)
            worker_link::expected(message, wire::kind::answered);
        if (!message.fields.is_null())
            let_go_of_inputs(message.fields);
        return unpack_answer(message.content, calls);
    }

    void accept_prepared(const nlohmann::json& fields) {
        import_time_ = run::nanoseconds{fields.at("import_ns").get<std::int64_t>()};
        let_go_of_inputs(fields);
    }

    void let_go_of_inputs(const nlohmann::json& fields) {
        const auto kept = fields.at("keeps").get<std::vector<std::int64_t>>();
        std::erase_if(inputs_, [&kept](const auto& one) { return std::ranges::find(kept, one.first) == kept.end(); });
    }

    const std::shared_ptr<const python_description> python_;
    const std::shared_ptr<process_source> source_;
    latest_origin origin_; ///< while it serves
    worker_link link_;
    std::optional<os::shared_memory> shared_;
    run::reply reply_;
    std::shared_ptr<run::item_feed> items_;
    /// What the worker may still look at: for the task under way, or because the cell has kept it.
    std::map<std::int64_t, std::shared_ptr<const wire::shared_buffers>> inputs_; ///< by the number of the task
    std::int64_t tasks_ = 0;                                                     ///< and calls with large data
    std::shared_ptr<const run::payload> first_input_;                            ///< until it runs
    bool has_first_input_ = false;                                               ///< the process was born with it
    bool begun_ = false;             ///< the call that was handed over is sent
    std::shared_ptr<run::call> own_; ///< the latest one that the worker has taken
    sent_functions sent_;
    std::int64_t thread_id_ = 0;
    run::nanoseconds import_time_{};
};

} // namespace

std::unique_ptr<run::worker_body> make_process_body(std::shared_ptr<const python_description> python,
                                                    std::shared_ptr<process_source> source) {
    if (!source)
        source = make_spawner(python);
    return std::make_unique<process_body>(std::move(python), std::move(source));
}

} // namespace xcores::executors
