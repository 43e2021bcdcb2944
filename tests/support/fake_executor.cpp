// SPDX-License-Identifier: BSD-3-Clause
// An executor without Python: the same programs in C++.
#include <atomic>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>
#include <utility>

#include <unistd.h>

#include <xcores/os/clock.hpp>
#include <xcores/os/thread_probe.hpp>

#include "executor_under_test.hpp"

namespace xcores::test {
namespace {

using namespace std::chrono_literals;

class fake_probe final : public run::probe {
public:
    reading read() noexcept override { return {thread_.cpu_time(), thread_.core(), model::gil_state::unknown}; }
    model::thread_state situation() noexcept override { return model::thread_state::waiting_core; }
    std::int64_t native_id() const { return thread_.native_id(); }

private:
    os::thread_probe thread_;
};

class fake_body final : public run::worker_body {
public:
    void open() override { probe_ = std::make_unique<fake_probe>(); }

    void prepare(const run::task& what, const run::output_sink& sink) override {
        interrupted_ = false;
        task_ = what;
        sink_ = sink;
        if (what.input->data == "refuse")
            throw std::runtime_error("no such data");
        import_time_ = what.input->data == "import" ? 5ms : what.input->data == "import a little" ? 500us : 0us;
        for (const auto until = os::now() + import_time_; os::now() < until;) {
        }
        if (what.input->data == "boast")
            import_time_ = 1h;
    }

    run::nanoseconds import_time() const noexcept override { return import_time_; }

    run::usage execute() override {
        run::usage used;
        const auto start = os::now();
        task_.items ? run_items() : run_program(task_.input->data);
        used.run = model::interval{start, os::now()};
        return used;
    }

    run::reply collect() override { return std::move(reply_); }
    void serve(run::job_source& from, const run::serving&) override {
        while (from.wait())
            while (auto one = from.next()) {
                auto given = call(*one.of->what(), one.inputs);
                from.finish(std::move(one), std::move(given));
            }
    }
    run::nanoseconds cpu_time() const noexcept override { return probe_->read().cpu; }
    void close() noexcept override {}
    void interrupt() noexcept override { interrupted_ = true; }
    bool terminate() noexcept override { return false; }
    bool alive() const noexcept override { return true; }
    run::probe* thread_probe() noexcept override { return probe_.get(); }
    run::gil_identity gil() const override { return {}; }
    std::int64_t process_id() const noexcept override { return ::getpid(); }
    std::int64_t native_thread_id() const noexcept override { return probe_->native_id(); }
    bool shares_process() const noexcept override { return true; }

private:
    void run_items() {
        while (auto chunk = task_.items->take()) {
            for (auto index = chunk->first; const auto& item : chunk->items) {
                run_program(item->data);
                const bool stopped = reply_.how.kind == model::outcome_kind::interrupted;
                reply_.output = {"item " + std::to_string(index), item->buffers};
                task_.items->done(index++, std::exchange(reply_, {}));
                if (stopped) {
                    reply_.how.kind = model::outcome_kind::interrupted;
                    return;
                }
            }
        }
        reply_.how.kind = model::outcome_kind::returned;
    }

    static run::answer call(const run::function& what, const std::vector<run::payload>& inputs) {
        run::answer given;
        given.how.kind = model::outcome_kind::returned;
        for (const auto& input : inputs) {
            if (what.code.data == "raise" && input.data == "bad") {
                given.how = {model::outcome_kind::raised, "ValueError", "bad", "", std::nullopt, false};
                break;
            }
            given.results.data += (what.code.data == "read" ? read_all(input.data) : input.data) + '\n';
            ++given.done;
        }
        return given;
    }

    static std::string read_all(const std::string& path) {
        std::stringstream text;
        text << std::ifstream(path).rdbuf();
        return text.str();
    }

    void run_program(const std::string& name) {
        using enum model::outcome_kind;
        reply_ = {};
        reply_.how.kind = returned;
        if (name == "answer" || name.starts_with("import") || name == "boast") {
            reply_.summary = "42";
            reply_.output.data = "worker " + std::to_string(task_.index) + " of " + std::to_string(task_.workers);
        } else if (name == "raise") {
            reply_.how = {raised, "ValueError", "bad", "", std::nullopt, false};
        } else if (name == "spin") {
            while (!interrupted_)
                std::this_thread::yield();
            reply_.how = {interrupted, "", "KeyboardInterrupt", "", std::nullopt, false};
        } else if (name == "stubborn") {
            sink_(run::stream::standard_output, "here to stay\n");
            for (;;)
                ::pause();
        } else if (name == "chatter") {
            for (int line = 0; line < 20000; ++line)
                sink_(run::stream::standard_output, "line " + std::to_string(line) + "\n");
            sink_(run::stream::standard_error, "done\n");
        } else if (name == "work") {
            const auto until = os::thread_cpu_time() + 50ms;
            while (os::thread_cpu_time() < until) {
            }
        }
    }

    std::atomic<bool> interrupted_ = false;
    std::unique_ptr<fake_probe> probe_;
    run::nanoseconds import_time_{};
    run::task task_;
    run::output_sink sink_;
    run::reply reply_;
};

} // namespace

std::shared_ptr<const run::function> job_function(const executor_under_test&, const std::string& name) {
    static std::atomic<std::uint64_t> numbers = 0;
    return std::make_shared<const run::function>(run::function{++numbers, {name, {}}});
}

run::payload job_input(const executor_under_test&, const std::string& argument) {
    return {argument, {}};
}

std::vector<std::string> results_of(const executor_under_test&, const run::answer& given) {
    std::stringstream lines(given.results.data);
    std::vector<std::string> texts;
    for (std::string line; std::getline(lines, line);)
        texts.push_back(line);
    return texts;
}

std::vector<std::string> executor_names() {
    return {"fake"};
}

executor_under_test make_executor(const std::string& name) {
    return {name, model::worker_kind::threads,
            std::make_shared<run::pool>([] { return std::make_unique<fake_body>(); }), false};
}

} // namespace xcores::test
