// SPDX-License-Identifier: BSD-3-Clause
#include <atomic>

#include <catch2/catch_test_macros.hpp>

#include <xcores/os/clock.hpp>

#include "../../support/executor_under_test.hpp"

using namespace xcores;

namespace {

struct moments {
    std::atomic<bool> answers = false;
    std::atomic<bool> killed = false;
};

/// Its answer is under way when it is ended by force.
class late_body final : public run::worker_body {
public:
    explicit late_body(moments& all) : all_(all) {}

    void open() override {}
    void prepare(const run::task&, const run::output_sink&) override {}
    run::usage execute() override {
        run::usage used;
        used.run = model::interval{os::now(), os::now()};
        return used;
    }
    run::reply collect() override {
        all_.answers = true;
        all_.answers.notify_all();
        all_.killed.wait(false);
        run::reply answer;
        answer.how.kind = model::outcome_kind::returned;
        return answer;
    }
    void serve(run::job_source&, const run::serving&) override {}
    void close() noexcept override {}
    void interrupt() noexcept override {}
    bool terminate() noexcept override {
        all_.killed = true;
        all_.killed.notify_all();
        return true;
    }
    bool alive() const noexcept override { return true; } // its end has not been noticed yet
    run::gil_identity gil() const override { return {}; }
    run::nanoseconds cpu_time() const noexcept override { return run::nanoseconds{-1}; }
    std::int64_t process_id() const noexcept override { return 0; }
    std::int64_t native_thread_id() const noexcept override { return 0; }
    bool shares_process() const noexcept override { return false; }

private:
    moments& all_;
};

} // namespace

TEST_CASE("a worker that was ended by force does not work again, although it has answered") {
    static moments all; // the worker may outlive the test
    const auto pool = std::make_shared<run::pool>([] { return std::make_unique<late_body>(all); });
    run::plan plan;
    plan.kind = model::worker_kind::procs;
    plan.grace = run::nanoseconds{0};
    plan.inputs.push_back(std::make_shared<const run::payload>());
    const auto session = run::session::start(plan, pool, {});
    all.answers.wait(false);
    session->stop(run::stop_reason::interrupt);
    test::finish(*session);
    CHECK(session->report().workers[0].how.kind == model::outcome_kind::returned);
    CHECK(pool->state().idle == 0);
}
