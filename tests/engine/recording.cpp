// SPDX-License-Identifier: BSD-3-Clause
// Recordings of what runs in and below this process, with threads and processes of known behaviour.
#include <algorithm>

#include <Python.h>

#include <catch2/catch_test_macros.hpp>

#include <xcores/cpython/this_process.hpp>
#include <xcores/model/summary.hpp>
#include <xcores/os/clock.hpp>
#include <xcores/os/task_probe.hpp>
#include <xcores/run/lanes.hpp>

#include "../support/known_time.hpp"
#include "../support/others.hpp"

using namespace xcores;
using namespace xcores::test;
using namespace std::chrono_literals;
using model::lane_kind;

namespace {

class recorded {
public:
    recorded() : recorder_(cpython::this_process(), 1ms) {}
    model::report end() { return run::report_of(recorder_.stop(), {{}, {}, ::getpid()}, {}); }

private:
    run::recorder recorder_;
};

const model::worker_record* lane_of(const model::report& from, std::int64_t id) {
    const auto found = std::ranges::find_if(
        from.workers, [&](const auto& one) { return one.native_thread_id == id || one.process_id == id; });
    return found == from.workers.end() ? nullptr : &*found;
}

void until_it_ran(os::task_probe what, model::nanoseconds time) {
    const auto before = what.cpu_time();
    until([&] { return what.cpu_time() > before + time; });
}

void spin_here(model::nanoseconds time) {
    const auto before = os::thread_cpu_time();
    until([&] { return os::thread_cpu_time() > before + time; });
}

} // namespace

TEST_CASE("a native thread that spins is a lane that runs without the GIL, one that waits is none") {
    const other_thread spinning(other_thread::way::spin);
    const other_thread waiting(other_thread::way::wait);
    recorded recording;
    until_it_ran(os::task_probe::of_thread(spinning.id()), 100ms);
    const auto report = recording.end();
    CHECK(lane_of(report, waiting.id()) == nullptr);
    const auto* lane = lane_of(report, spinning.id());
    REQUIRE(lane != nullptr);
    CHECK(lane->lane == lane_kind::native_thread);
    CHECK(lane->cpu.value() >= 100ms);
    const auto times = model::times_of(*lane);
    CHECK(times.gil_held == 0ms);
    CHECK(times.running_without_gil > undisturbed(times) * 8 / 10);
    CHECK(times.running_without_gil > 0ms);
}

TEST_CASE("the thread that has the GIL is seen to hold it, and one that wants it to wait") {
    std::atomic<std::int64_t> holder = 0;
    std::atomic<std::int64_t> waiter = 0;
    std::atomic<bool> go = false;
    const auto attach = [&](std::atomic<std::int64_t>& id, const auto& work) {
        const auto state = PyGILState_Ensure();
        id = ::syscall(SYS_gettid);
        work();
        PyGILState_Release(state);
    };
    std::thread first([&] {
        attach(holder, [&] {
            until([&] { return go.load(); });
            spin_here(150ms); // nothing here lets the GIL go
        });
    });
    until([&] { return holder != 0; });
    std::atomic<std::int64_t> second_id = 0;
    std::thread second([&] {
        second_id = ::syscall(SYS_gettid);
        attach(waiter, [] {});
    });
    until([&] { return second_id != 0; });
    auto seen = os::task_probe::of_thread(second_id);
    until([&] { return seen.situation().what == os::thread_probe::activity::in_system_call; });
    recorded recording;
    go = true;
    until_it_ran(os::task_probe::of_thread(holder), 100ms);
    const auto report = recording.end();
    first.join();
    second.join();
    REQUIRE(report.gils.size() == 1);
    CHECK(report.gils[0].name == "main interpreter");
    const auto* holds = lane_of(report, holder);
    const auto* waits = lane_of(report, second_id);
    REQUIRE(holds != nullptr);
    REQUIRE(waits != nullptr);
    CHECK(holds->lane == lane_kind::python_thread);
    const auto times = model::times_of(*holds);
    CHECK(times.gil_held > undisturbed(times) * 9 / 10);
    CHECK(times.gil_held > 0ns);
    CHECK(model::times_of(*waits).waiting_gil > undisturbed(model::times_of(*waits)) / 2);
    CHECK(model::times_of(*waits).gil_held == 0ms);
}

TEST_CASE("a child process that spins is a lane, with nothing known of its GIL") {
    const child spinning("while :; do :; done");
    recorded recording;
    until_it_ran(os::task_probe::of_process(spinning.id()), 100ms);
    const auto report = recording.end();
    const auto* lane = lane_of(report, spinning.id());
    REQUIRE(lane != nullptr);
    CHECK(lane->lane == lane_kind::process);
    CHECK(lane->cpu.value() >= 100ms);
    CHECK(std::ranges::all_of(lane->spans, [](const auto& one) { return one.gil == model::gil_state::unknown; }));
    const auto times = model::times_of(*lane);
    const auto ran = times.running_without_gil;
    REQUIRE_FALSE(lane->spans.empty());
    const auto unseen = lane->spans.front().start - lane->run->start; // it may be found late on a busy machine
    CAPTURE(ran.count(), lane->cpu->count(), unseen.count(), times.unknown.count(), times.sampled.count());
    CHECK(ran < lane->cpu.value() * 115 / 100);
    CHECK(ran + unseen + times.unknown > lane->cpu.value() * 85 / 100);
}

TEST_CASE("a process is shown from when it began, not from when it was found") {
    const auto before = os::now();
    recorded recording;
    const child spinning("while :; do :; done");
    const auto longest = os::now() - before;
    until_it_ran(os::task_probe::of_process(spinning.id()), 50ms);
    const auto report = recording.end();
    const auto* lane = lane_of(report, spinning.id());
    REQUIRE(lane != nullptr);
    CHECK(lane->run->start <= longest);
    CHECK(lane->run->length() >= 50ms);
}

TEST_CASE("interpreters and threads may come and go while they are watched") {
    recorded recording;
    for (int i = 0; i < 40; ++i)
        std::thread([] {
            const auto state = PyGILState_Ensure();
            auto* own = PyThreadState_Get();
            const PyInterpreterConfig isolated = {.use_main_obmalloc = 0,
                                                  .allow_fork = 0,
                                                  .allow_exec = 0,
                                                  .allow_threads = 1,
                                                  .allow_daemon_threads = 0,
                                                  .check_multi_interp_extensions = 1,
                                                  .gil = PyInterpreterConfig_OWN_GIL};
            PyThreadState* inside = nullptr;
            if (!PyStatus_Exception(Py_NewInterpreterFromConfig(&inside, &isolated)))
                Py_EndInterpreter(inside);
            PyThreadState_Swap(own);
            PyGILState_Release(state);
        }).join();
    const auto report = recording.end();
    CHECK(report.gils.size() > 1);
    for (const auto& gil : report.gils)
        for (const int worker : gil.workers)
            CHECK(report.workers.at(static_cast<std::size_t>(worker)).lane == lane_kind::python_thread);
}
