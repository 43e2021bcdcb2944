// SPDX-License-Identifier: BSD-3-Clause
// What a recording becomes: which threads and processes are lanes, and under which names. And the recorder itself, over
// surroundings that the test makes up.
#include <condition_variable>
#include <mutex>

#include <catch2/catch_test_macros.hpp>

#include <xcores/os/clock.hpp>
#include <xcores/run/lanes.hpp>

using namespace xcores;
using namespace std::chrono_literals;
using model::gil_state;
using model::lane_kind;
using model::thread_state;

namespace {

constexpr std::int64_t main_thread = 100;

run::trace of(lane_kind kind, std::int64_t id, model::nanoseconds cpu, int gil = -1) {
    run::trace made;
    made.what = {kind, id, gil};
    made.name = "python3";
    made.seen = {0ms, 100ms};
    made.was_there = true;
    made.cpu = cpu;
    return made;
}

run::trace python(std::int64_t id, model::nanoseconds cpu, int gil = 0) {
    return of(lane_kind::python_thread, id, cpu, gil);
}

run::trace holding(run::trace one, model::nanoseconds time) {
    one.spans = {{0ms, time, thread_state::running, gil_state::held, 0}};
    return one;
}

model::report report_of(std::vector<run::trace> traces, run::cast known = {}) {
    run::recording made;
    made.wall = 100ms;
    made.traces = std::move(traces);
    made.gils = {{"main interpreter", true, 7}, {"interpreter 1", false, 2}};
    made.sampling.period = 1ms;
    known.main_thread = main_thread;
    return run::report_of(std::move(made), known, {});
}

std::vector<std::string> names_in(const model::report& from) {
    std::vector<std::string> names;
    for (const auto& one : from.workers)
        names.push_back(one.name);
    return names;
}

/// Stands for a thread that runs all the time.
class busy final : public run::watched {
public:
    reading read() noexcept override { return {cpu(), 0, gil_state::not_held}; }
    thread_state situation() noexcept override { return thread_state::waiting_core; }
    model::nanoseconds cpu() noexcept override { return 1s + os::now() - made_; }
    std::optional<model::nanoseconds> queue_wait() override { return 3ms; }
    std::string name() override { return "busy"; }

private:
    const model::nanoseconds made_ = os::now();
};

/// What is there is what the test says; it can wait until that has been listed.
class stage final : public run::surroundings {
public:
    void set(std::vector<run::subject> now) {
        std::unique_lock lock(mutex_);
        now_ = std::move(now);
        const int seen = lists_;
        listed_.wait(lock, [&] { return lists_ >= seen + 2; }); // the second one began after the first had been used
    }

    void look() noexcept override {}
    std::vector<run::subject> list(care) override {
        const std::lock_guard lock(mutex_);
        ++lists_;
        listed_.notify_all();
        return now_;
    }
    bool has_changed() noexcept override { return true; }
    bool lists_quickly(lane_kind) const override { return true; }
    std::unique_ptr<run::watched> watch(const run::subject&) override { return std::make_unique<busy>(); }
    std::vector<gil> gils() const override { return {}; }

private:
    std::mutex mutex_;
    std::condition_variable listed_;
    std::vector<run::subject> now_{{lane_kind::native_thread, main_thread, -1}};
    int lists_ = 0;
};

/// A recording of two threads, of which the second has come and gone.
struct one_that_ended {
    const run::subject first{lane_kind::native_thread, main_thread, -1};
    const run::subject second{lane_kind::native_thread, 7, -1};
    std::unique_ptr<stage> made = std::make_unique<stage>();
    stage& around = *made;
    run::recorder recorder{std::move(made), 1ms};

    one_that_ended() {
        around.set({first, second});
        around.set({first});
    }
};

} // namespace

TEST_CASE("the main thread is the first lane, whatever it did") {
    const auto report = report_of({python(7, 50ms), python(main_thread, 0ms)}, {{{main_thread, "MainThread"}}, {}, 0});
    REQUIRE(report.workers.size() == 2);
    CHECK(report.workers[0].name == "MainThread");
    CHECK(report.workers[0].native_thread_id == main_thread);
    CHECK(report.kind == model::worker_kind::cores);
}

TEST_CASE("threads that were there and did next to nothing are no lanes") {
    const auto report = report_of({python(main_thread, 9ms), python(7, 100us), of(lane_kind::native_thread, 8, 100us),
                                   of(lane_kind::process, 9, 0ms)});
    CHECK(report.workers.size() == 1);
}

TEST_CASE("what began during the recording is a lane if it is a Python thread or a process") {
    auto thread = python(7, 10us);
    auto native = of(lane_kind::native_thread, 8, 10us);
    auto process = of(lane_kind::process, 9, 10us);
    thread.was_there = native.was_there = process.was_there = false;
    const auto report = report_of({python(main_thread, 9ms), native, process, thread}, {{{7, "worker-7"}}, {}, 0});
    CHECK(names_in(report) == std::vector<std::string>{"python3 100", "worker-7", "process 9 python3"});
}

TEST_CASE("native threads that computed come after Python threads and before processes") {
    const auto report = report_of({of(lane_kind::process, 9, 5ms), of(lane_kind::native_thread, 8, 5ms), python(7, 5ms),
                                   python(main_thread, 5ms)});
    CHECK(names_in(report) ==
          std::vector<std::string>{"python3 100", "python3 7", "native: python3 8", "process 9 python3"});
    CHECK(report.workers[3].process_id == 9);
    CHECK(report.workers[3].native_thread_id == 0);
}

TEST_CASE("a thread that held a GIL is a lane even if it used hardly any CPU time") {
    const auto report = report_of({python(main_thread, 9ms), holding(python(7, 100us), 20ms)});
    CHECK(report.workers.size() == 2);
}

TEST_CASE("hidden threads are no lanes") {
    const auto report = report_of({python(main_thread, 9ms), holding(python(7, 50ms), 20ms)}, {{}, {7}, 0});
    CHECK(report.workers.size() == 1);
}

TEST_CASE("a process with the number of a hidden thread is shown") {
    const auto report = report_of({python(main_thread, 9ms), of(lane_kind::process, 7, 50ms)}, {{}, {7}, 0});
    CHECK(report.workers.size() == 2);
}

TEST_CASE("a thread that ran in two interpreters is shown in the one whose GIL it held longest") {
    const auto report =
        report_of({python(main_thread, 9ms), holding(python(7, 50ms, 0), 2ms), holding(python(7, 50ms, 1), 40ms)});
    REQUIRE(report.workers.size() == 2);
    REQUIRE(report.gils.size() == 2);
    CHECK(report.gils[0].workers == std::vector<int>{0});
    CHECK(report.gils[1].workers == std::vector<int>{1});
    CHECK(report.gils[1].name == "interpreter 1");
    CHECK(report.gils[1].handovers == 2);
}

TEST_CASE("interpreters in which no lane ran have no GIL in the report") {
    const auto report = report_of({python(main_thread, 9ms)});
    REQUIRE(report.gils.size() == 1);
    CHECK(report.gils[0].name == "main interpreter");
}

TEST_CASE("of too many lanes those that used most CPU time are kept, and how many are not is told") {
    std::vector<run::trace> traces{python(main_thread, 1s)};
    for (int i = 0; i < 400; ++i)
        traces.push_back(
            of(lane_kind::native_thread, 1000 + i, model::nanoseconds(2ms) + std::chrono::microseconds(i)));
    const auto report = report_of(std::move(traces));
    CHECK(report.workers.size() == 256);
    CHECK(report.left_out == 145);
    CHECK(report.workers.back().native_thread_id == 1399);
}

TEST_CASE("the recorder keeps what ended, and knows what began before and after it") {
    one_that_ended watched;
    const auto recording = watched.recorder.stop();
    REQUIRE(recording.traces.size() == 2);
    CHECK(recording.traces[0].what == watched.first);
    CHECK(recording.traces[0].was_there);
    CHECK(recording.traces[0].seen == model::interval{0ms, recording.wall});
    CHECK(recording.traces[0].queue_wait == model::nanoseconds{0}); // since the recording began
    CHECK(recording.traces[1].what == watched.second);
    CHECK_FALSE(recording.traces[1].was_there);
    CHECK(recording.traces[1].cpu < 1s + recording.wall); // not all it ever used
    CHECK(recording.traces[1].seen.start == 0ms);         // it began before it was found
    CHECK(recording.traces[1].queue_wait == model::nanoseconds{3ms});
    CHECK(recording.traces[1].seen.end <= recording.wall);
}

TEST_CASE("a thread that turns up in another interpreter has computed only since the recording began") {
    auto made = std::make_unique<stage>();
    auto& around = *made;
    run::recorder recorder(std::move(made), 1ms);
    const run::subject inside{lane_kind::python_thread, main_thread, 1};
    const run::subject elsewhere{lane_kind::python_thread, main_thread, 2};
    around.set({{lane_kind::native_thread, main_thread, -1}, inside});
    around.set({elsewhere}); // and nowhere else
    const auto recording = recorder.stop();
    REQUIRE(recording.traces.size() == 3);
    for (const run::trace& one : recording.traces)
        CHECK(one.cpu < 1s + recording.wall);
    const auto report = run::report_of(recording, {{}, {}, main_thread}, {});
    REQUIRE(report.workers.size() == 1);
    CHECK(report.workers[0].cpu < 1s + recording.wall);
}

TEST_CASE("what goes on can be looked at, and the recording goes on") {
    one_that_ended watched;
    const auto so_far = run::report_so_far(watched.recorder.so_far(), {{}, {}, main_thread}, {});
    CHECK_FALSE(so_far.wall.has_value());
    REQUIRE(so_far.workers.size() == 2);
    CHECK(so_far.workers[0].how.kind == model::outcome_kind::pending);
    CHECK(so_far.workers[0].run->end == so_far.elapsed);
    CHECK(so_far.workers[1].how.kind == model::outcome_kind::returned); // it has ended
    CHECK(watched.recorder.stop().wall > so_far.elapsed);
}

TEST_CASE("the recorder watches no more than it may and tells how many there were") {
    auto made = std::make_unique<stage>();
    auto& around = *made;
    run::recorder recorder(std::move(made), 1ms);
    std::vector<run::subject> many;
    for (int i = 0; i < 300; ++i)
        many.push_back({lane_kind::native_thread, 1000 + i, -1});
    around.set(many);
    const auto recording = recorder.stop();
    CHECK(recording.traces.size() == run::recorder::most_watched + 1); // and the one that ended
    CHECK(recording.left_out == 300 - run::recorder::most_watched);
}

TEST_CASE("a recorder that is not stopped ends by itself") {
    auto made = std::make_unique<stage>();
    auto& around = *made;
    const run::recorder recorder(std::move(made), 1ms);
    around.set({});
}

TEST_CASE("a native thread that has had the GIL is one of Python's") {
    run::trace late;
    late.what = {model::lane_kind::native_thread, 77, -1};
    late.name = "worker";
    late.seen = {10ms, 20ms};
    late.cpu = 5ms;
    late.spans = {{10ms, 15ms, model::thread_state::running, model::gil_state::held, 0}};
    const auto report = report_of({late});
    REQUIRE(report.workers.size() == 1);
    CHECK(report.workers[0].lane == model::lane_kind::python_thread);
    CHECK(report.workers[0].name == "worker 77");
    REQUIRE(report.gils.size() == 1);
    CHECK(report.gils[0].workers == std::vector{0});
}

TEST_CASE("the time that was sampled is that of the lanes that are shown") {
    run::trace shown;
    shown.what = {model::lane_kind::python_thread, main_thread, 0};
    shown.seen = {0ms, 100ms};
    shown.sampled = 3ms;
    run::trace hidden = shown;
    hidden.what.id = 78;
    hidden.what.kind = model::lane_kind::native_thread;
    hidden.was_there = true;
    hidden.sampled = 100ms;
    run::recording made;
    made.wall = 100ms;
    made.traces = {shown, hidden};
    made.sampling.recorded = model::recorded_events{.sampled = 103ms};
    run::cast known;
    known.main_thread = main_thread;
    CHECK(run::report_of(std::move(made), known, {}).sampling->recorded->sampled == 3ms);
}
