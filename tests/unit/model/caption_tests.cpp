// SPDX-License-Identifier: BSD-3-Clause
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include <support/report_builder.hpp>
#include <support/scenarios.hpp>
#include <xcores/model/json.hpp>
#include <xcores/model/summary.hpp>

namespace {

using namespace std::chrono_literals;
using namespace xcores;
using enum model::worker_kind;
using enum model::outcome_kind;
using model::caption_of;
using test::run_of;
using test::worker;

worker busy(model::nanoseconds time) {
    return worker().ran(0ms, time).cpu(time).holding(time).returned();
}

} // namespace

TEST_CASE("threads of CPU-bound Python took turns") {
    CHECK(caption_of(test::ping_pong()) ==
          "2 threads took turns: one GIL, held 100 % of the time; each waited for it 50 % of its run.");
}

TEST_CASE("threads that waited unequally are given as a range") {
    const auto report = run_of(threads)
                            .worker(worker().ran(0ms, 100ms).cpu(90ms).holding(90ms).waiting_for_gil(10ms).returned())
                            .worker(worker().ran(0ms, 100ms).cpu(10ms).waiting_for_gil(90ms).holding(10ms).returned())
                            .sharing_gil("main interpreter")
                            .report();
    CHECK(caption_of(report) ==
          "2 threads took turns: one GIL, held 100 % of the time; they waited for it 10 % to 90 % of their runs.");
}

TEST_CASE("a worker that failed at once says nothing about waiting") {
    const auto one = worker().ran(0ms, 100ms).cpu(50ms).holding(50ms).waiting_for_gil(50ms).returned();
    const auto failure = worker().ran(0ms, 1ms).cpu(1ms).waiting_for_gil(1ms).raised("ValueError", "no");
    const auto report =
        run_of(threads).worker(one).worker(one).worker(failure).sharing_gil("main").sampled(1ms, 1us).report();
    CHECK(caption_of(report).ends_with("; each waited for it 50 % of its run; 1 of 3 raised ValueError."));
}

TEST_CASE("own GILs ran side by side") {
    CHECK(caption_of(test::side_by_side()) == "2 interpreters ran side by side: 1.98 of 2 cores busy.");
}

TEST_CASE("threads without the GIL ran side by side, and the sentence says why") {
    const auto one = worker().ran(0ms, 100ms).cpu(99ms).running(90ms).holding(10ms).returned();
    CHECK(caption_of(run_of(threads).worker(one).worker(one).sharing_gil("main").report()) ==
          "2 threads ran side by side, 90 % of their running time without the GIL: 1.98 of 2 cores busy.");
    CHECK(caption_of(run_of(threads).worker(one).worker(one).without_gil().report()) ==
          "2 threads ran side by side, with no GIL in this Python: 1.98 of 2 cores busy.");
}

TEST_CASE("uneven work is named") {
    CHECK(caption_of(run_of(procs).worker(busy(10ms)).worker(busy(100ms)).report()) ==
          "2 processes ran side by side for 10 % of the time: 1.10 of 2 cores busy; uneven, the shortest took 10.0 ms "
          "and the longest 100 ms.");
}

TEST_CASE("of work that nobody finished nothing is said about how even it was") {
    const auto stopped = worker().ran(0ms, 100ms).cpu(99ms).holding(99ms).ended(interrupted);
    const auto text = caption_of(run_of(procs).worker(stopped).worker(stopped).report());
    CHECK(text == "2 processes ran side by side: 1.98 of 2 cores busy; both stopped when interrupted.");
}

TEST_CASE("waiting workers mostly slept") {
    CHECK(caption_of(test::reading_and_waiting()) ==
          "2 threads mostly slept or waited for I/O or a lock (95 %): 0.08 of 2 cores busy.");
}

TEST_CASE("more workers than cores share them") {
    CHECK(caption_of(test::one_of_four_raised()) ==
          "4 interpreters shared 2 cores: 1.62 of 2 cores busy; each waited for a "
          "core 50 % of its run; 1 of 4 raised ZeroDivisionError.");
}

TEST_CASE("a wait for a core although there are enough is that of something else on the machine") {
    const auto on_core = [](int core) {
        return worker().ran(0ms, 100ms).cpu(60ms).queued(40ms).holding(60ms, core).waiting_for_core(40ms).returned();
    };
    CHECK(caption_of(run_of(procs).worker(on_core(0)).worker(on_core(1)).report()) ==
          "2 processes: something else used the cores too, so each waited for a core 40 % of its run; 1.20 of 2 cores "
          "busy.");
}

TEST_CASE("workers that ran on fewer cores than there are shared these") {
    const auto half =
        worker().ran(0ms, 100ms).cpu(50ms).queued(50ms).holding(50ms, 1).waiting_for_core(50ms).returned();
    CHECK(caption_of(run_of(procs).worker(half).worker(half).report()) ==
          "2 processes shared 1 of 2 cores: 1.00 of 2 cores busy; each waited for a core 50 % of its run.");
}

TEST_CASE("nobody waited for a core for longer than the CPU time leaves of the run") {
    const auto on_core = [](int core) {
        return worker().ran(0ms, 100ms).cpu(40ms).queued(231ms).holding(40ms, core).waiting_for_core(60ms).returned();
    };
    CHECK(caption_of(run_of(procs).worker(on_core(0)).worker(on_core(0)).worker(on_core(1)).report()) ==
          "3 processes shared 2 cores with something else: 1.20 of 2 cores busy; each waited for a core 60 % of its "
          "run.");
    CHECK(model::core_wait_share(worker().ran(0ms, 1ms).cpu(1ms).queued(2ms).record()) == 0.0);
}

TEST_CASE("a thread that waits for a core to ask for its GIL waits for the GIL") {
    const auto one = worker().ran(0ms, 100ms).cpu(20ms).queued(60ms).holding(20ms).waiting_for_gil(80ms).returned();
    CHECK(caption_of(run_of(threads).worker(one).worker(one).sharing_gil("main").report()) ==
          "2 threads took turns: one GIL, held 40 % of the time; each waited for it 80 % of its run.");
}

TEST_CASE("workers that never ran at the same time ran one after the other") {
    const auto first = worker().ran(0ms, 600ms).cpu(600ms).holding(600ms).returned();
    const auto second = worker().ran(600ms, 1200ms).cpu(600ms).holding(600ms).returned();
    CHECK(caption_of(run_of(procs).worker(first).worker(second).report()) ==
          "2 processes ran one after the other: never more than one busy at a time, 1.00 of 2 cores busy.");
    const auto overlapping = worker().ran(580ms, 1200ms).cpu(620ms).holding(620ms).returned();
    CHECK(caption_of(run_of(procs).worker(first).worker(overlapping).report()) ==
          "2 processes ran nearly always one after the other: 1.02 of 2 cores busy.");
}

TEST_CASE("threads with one GIL are not said to have run side by side while both were under way") {
    const auto first =
        worker().ran(0ms, 600ms).cpu(560ms).holding(480ms).waiting_for_gil(40ms).holding(80ms).returned();
    const auto second = worker().ran(500ms, 1100ms).cpu(520ms).waiting_for_gil(80ms).holding(520ms).returned();
    CHECK(caption_of(run_of(threads).worker(first).worker(second).sharing_gil("main").report()) ==
          "2 threads with one GIL ran mostly one after the other: 0.98 of 2 cores busy.");
}

TEST_CASE("few samples give no two-digit figures") {
    const auto one = worker().ran(0ms, 20ms).cpu(9ms).holding(9ms).waiting_for_gil(11ms).returned();
    CHECK(caption_of(run_of(threads).worker(one).worker(one).sharing_gil("main").sampled(1ms, 1us).report()) ==
          "2 threads took turns: one GIL, held about 90 % of the time; each waited for it about 60 % of its run.");
}

TEST_CASE("an item that failed is told first, and workers that only stopped for it are not accused") {
    const auto failing = worker().ran(0ms, 100ms).cpu(99ms).holding(99ms).did(4).returned();
    const auto stopped = worker()
                             .ran(0ms, 100ms)
                             .cpu(99ms)
                             .holding(99ms)
                             .did(2)
                             .ended(interrupted, std::string(model::stopped_for_an_item));
    auto report = run_of(procs).worker(stopped).worker(failing).items(7, 1, 10).report();
    report.items->first_failure = model::item_failure{3, 1, "ZeroDivisionError: division by zero"};
    CHECK(caption_of(report) ==
          "Item 3 failed in worker 1: ZeroDivisionError: division by zero. 2 processes ran side by "
          "side: 1.98 of 2 cores busy.");
    report.items->failed = 3;
    CHECK(caption_of(report).starts_with(
        "Item 3 failed in worker 1: ZeroDivisionError: division by zero; 2 more failed."));
    CHECK(model::report_from_json(model::to_json(report)) == report);
}

TEST_CASE("a worker whose CPU time is unknown takes nothing from that of the others") {
    const auto lost = worker().ran(0ms, 100ms).holding(99ms).ended(crashed, "signal 11 (Segmentation fault)");
    CHECK(
        caption_of(run_of(procs).worker(busy(100ms)).worker(lost).report()) ==
        "2 processes ran side by side: at least 1.00 of 2 cores busy; 1 of 2 crashed: signal 11 (Segmentation fault).");
}

TEST_CASE("a message that ends in a full stop does not get another one") {
    const auto one = worker().ended(failed, "Use %%procs for this cell.");
    CHECK(caption_of(run_of(subinterp).worker(one).worker(one).report()) ==
          "2 interpreters, of which none ran the cell; both failed: Use %%procs for this cell.");
}

TEST_CASE("one worker ran alone") {
    CHECK(caption_of(run_of(threads).worker(busy(10ms)).report()) == "1 thread ran alone: 1.00 of a core busy.");
}

TEST_CASE("a mixture is given in shares") {
    const auto one = worker().ran(0ms, 100ms).cpu(60ms).holding(60ms).waiting_for_gil(10ms).blocked(30ms).returned();
    CHECK(caption_of(run_of(threads).worker(one).worker(one).sharing_gil("main").report()) ==
          "2 threads: 1.20 of 2 cores busy; 60 % of the time running, 10 % waiting for the GIL, 30 % asleep or waiting "
          "for "
          "I/O or a lock.");
}

TEST_CASE("what was not measured is not claimed") {
    const auto one = worker().ran(0ms, 10ms).returned();
    CHECK(caption_of(run_of(threads).worker(one).worker(one).report()) ==
          "2 threads: CPU time unknown in 10.0 ms; not sampled.");
    CHECK(caption_of(test::one_sample()) == "2 threads: 1.00 of 2 cores busy in 1.00 ms; too short to see more.");
    auto starved = test::run_of(threads).worker(busy(40ms)).sampled(1ms, 1us).report();
    starved.sampling->widest_period = 20ms;
    CHECK_THAT(caption_of(starved), Catch::Matchers::EndsWith("; too few samples to see more."));
}

TEST_CASE("failures are counted by what happened") {
    const auto crash = worker().ran(0ms, 1ms).ended(crashed, "signal 11 (Segmentation fault)");
    const auto late = worker().ran(0ms, 1ms).ended(timed_out);
    const std::string caption =
        caption_of(run_of(procs).worker(busy(1ms)).worker(crash).worker(late).worker(late).report());
    CHECK(caption.ends_with("; 1 of 4 crashed: signal 11 (Segmentation fault), 2 of 4 ran out of time."));
}

TEST_CASE("a worker that did not stop is not said to have stopped") {
    const auto stopped = worker().ran(0ms, 1ms).ended(interrupted);
    const auto left = worker().ran(0ms, 1ms).ended(interrupted).left_behind();
    CHECK(caption_of(run_of(threads).worker(stopped).worker(left).worker(left).report())
              .ends_with("; 1 of 3 stopped when interrupted, 2 of 3 did not stop when interrupted."));
    const auto late = worker().ran(0ms, 1ms).ended(timed_out).left_behind();
    CHECK(caption_of(run_of(threads).worker(late).report()).ends_with("; it did not stop when time was up."));
}

TEST_CASE("when all failed the sentence says all") {
    const auto one = worker().raised("ValueError", "no");
    CHECK(caption_of(run_of(procs).worker(one).worker(one).report()) ==
          "2 processes, of which none ran the cell; both raised ValueError.");
    CHECK(caption_of(run_of(procs).worker(one).worker(one).worker(one).report()) ==
          "3 processes, of which none ran the cell; all 3 raised ValueError.");
    CHECK(caption_of(run_of(procs).worker(one).report()) ==
          "1 process, of which none ran the cell; it raised ValueError.");
}

TEST_CASE("nobody and a run still going on have their sentences too") {
    CHECK(caption_of(test::nobody()) == "No workers ran.");
    CHECK(caption_of(run_of(subinterp).worker(busy(1ms)).worker(worker().ran(0ms, 3ms)).still_running(3ms).report()) ==
          "2 interpreters, 1 done after 3.00 ms.");
}

TEST_CASE("without workers the sentence counts what ran and says what held it back") {
    CHECK(
        caption_of(test::any_cell()) ==
        "2 Python threads, 1 native thread and 1 process kept 1.58 of 2 cores busy; the GIL was held 88 % of the time, "
        "and busy threads waited for it 49 % of their time.");
}

namespace {

using model::lane_kind;

worker main_thread() {
    return worker().named(lane_kind::python_thread, "MainThread").ran(0ms, 100ms);
}

} // namespace

TEST_CASE("one thread that computes is told with its GIL") {
    CHECK(caption_of(run_of(cores)
                         .worker(main_thread().cpu(99ms).holding(100ms))
                         .sharing_gil("main interpreter")
                         .sampled(1ms, 1us)
                         .report()) ==
          "1 Python thread kept 0.99 of 2 cores busy; the GIL was held 100 % of the time.");
}

TEST_CASE("work that ran without the GIL, in native threads or in processes is told as that") {
    const auto waiting = main_thread().cpu(1ms).blocked(100ms);
    const auto sentence = [](const worker& first, const worker& second) {
        return caption_of(
            run_of(cores).worker(first).sharing_gil("main interpreter").worker(second).sampled(1ms, 1us).report());
    };
    CHECK(sentence(main_thread().cpu(90ms).running(90ms).holding(10ms), waiting) ==
          "2 Python threads kept 0.91 of 2 cores busy; 90 % of the threads' running time was without the GIL.");
    CHECK(sentence(main_thread().cpu(90ms).elsewhere(80ms).running(10ms).holding(10ms), waiting) ==
          "2 Python threads kept 0.91 of 2 cores busy; for 80 % of the threads' running time it is unknown who held "
          "the GIL.");
    CHECK(sentence(waiting,
                   worker().named(lane_kind::native_thread, "native: x 1").ran(0ms, 100ms).cpu(99ms).running(100ms)) ==
          "1 Python thread and 1 native thread kept 1.00 of 2 cores busy; the native thread did 99 % of the work, "
          "without "
          "the GIL.");
    CHECK(sentence(waiting,
                   worker().named(lane_kind::process, "process 1 x").ran(0ms, 100ms).cpu(99ms).elsewhere(100ms)) ==
          "1 Python thread and 1 process kept 1.00 of 2 cores busy; the process did 99 % of the work.");
}

TEST_CASE("of few samples it is only said that most of the running was without the GIL") {
    const auto report = run_of(cores)
                            .worker(main_thread().cpu(12ms).running(11ms).holding(1ms).blocked(88ms))
                            .sharing_gil("main interpreter")
                            .sampled(1ms, 1us)
                            .report();
    CHECK(caption_of(report) ==
          "1 Python thread kept 0.12 of 2 cores busy; most of the threads' running time was without the GIL.");
}

TEST_CASE("a cell that waited is told as that, and so are lanes that are not shown") {
    auto report = run_of(cores)
                      .worker(main_thread().cpu(1ms).blocked(100ms))
                      .sharing_gil("main interpreter")
                      .sampled(1ms, 1us)
                      .report();
    report.left_out = 12;
    CHECK(caption_of(report) ==
          "1 Python thread kept 0.01 of 2 cores busy; nearly all the time everything slept or waited "
          "for I/O or a lock; 12 more are not shown.");
    CHECK(model::report_from_json(model::to_json(report)) == report);
}

TEST_CASE("a process that runs has not run with an unknown GIL of ours") {
    const auto report =
        run_of(cores).worker(worker().named(lane_kind::process, "p").ran(0ms, 10ms).elsewhere(10ms)).report();
    CHECK(model::times_of(report.workers[0]).running_without_gil == 10ms);
    CHECK(model::times_of(report.workers[0]).unknown == 0ms);
}
