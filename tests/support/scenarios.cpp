// SPDX-License-Identifier: BSD-3-Clause
#include "scenarios.hpp"

#include <xcores/model/repeats.hpp>

#include "report_builder.hpp"

namespace xcores::test {

namespace {

using namespace std::chrono_literals;
using enum model::worker_kind;
using enum model::outcome_kind;

/// Pseudo-random and the same everywhere, which the standard distributions are not.
class dice {
public:
    explicit dice(std::uint32_t seed) : state_(seed * 2654435761U + 1) {}
    int roll(int sides) {
        state_ = state_ * 1664525U + 1013904223U;
        return static_cast<int>((state_ >> 16U) % static_cast<std::uint32_t>(sides));
    }

private:
    std::uint32_t state_;
};

} // namespace

model::report ping_pong() {
    worker first = worker().in_process(4711, 4712).ran(2ms, 302ms).cpu(150ms).queued(300us).switched(41, 2);
    worker second = worker().in_process(4711, 4713).ran(2ms, 302ms).cpu(148ms).queued(200us).switched(40, 3);
    for (int i = 0; i < 30; ++i) {
        first.holding(5ms, i / 10 % 2).waiting_for_gil(5ms);
        second.waiting_for_gil(5ms).holding(5ms, 1);
    }
    first.returned("832040");
    second.returned("832040");
    return run_of(threads)
        .worker(first)
        .worker(second)
        .sharing_gil("main interpreter", 60)
        .sampled(1ms, 1200us)
        .report();
}

model::report side_by_side() {
    return run_of(subinterp)
        .worker(worker()
                    .in_process(4711, 4712)
                    .started(1ms, 19ms)
                    .received(19ms, 20ms)
                    .ran(24ms, 224ms)
                    .sent(224ms, 226ms)
                    .cpu(199ms)
                    .holding(120ms, 0)
                    .waiting_for_core(2ms, model::gil_state::held)
                    .holding(78ms, 0)
                    .memory(2'800'000)
                    .moved({1'200, 100'000'000}, {40, 0})
                    .returned("832040"))
        .worker(worker()
                    .in_process(4711, 4713)
                    .started(1ms, 22ms)
                    .received(22ms, 24ms)
                    .ran(24ms, 222ms)
                    .sent(222ms, 223ms)
                    .cpu(197ms)
                    .holding(198ms, 1)
                    .memory(2'900'000)
                    .moved({1'200, 100'000'000}, {40, 2'000'000})
                    .returned("832040"))
        .own_gils("interpreter")
        .sampled(1ms, 900us)
        .report();
}

model::report crashed_process() {
    return run_of(procs)
        .worker(worker()
                    .in_process(5001, 5001)
                    .started(1ms, 61ms)
                    .received(61ms, 64ms)
                    .ran(65ms, 240ms)
                    .sent(240ms, 243ms)
                    .cpu(172ms)
                    .holding(175ms, 0)
                    .memory(19'400'000)
                    .shares(8'100'000, 5'000'000)
                    .moved({31'000, 0}, {64, 0})
                    .returned("[1, 2, 3]"))
        .worker(worker()
                    .in_process(5002, 5002)
                    .started(1ms, 63ms)
                    .received(63ms, 65ms)
                    .ran(65ms, 130ms)
                    .cpu(64ms)
                    .holding(65ms, 1)
                    .memory(19'200'000)
                    .shares(8'000'000, 4'900'000)
                    .ended(crashed, "signal 11 (Segmentation fault)")
                    .with_code(11))
        .own_gils("process")
        .sampled(1ms, 1200us)
        .report();
}

model::report reading_and_waiting() {
    worker first = worker().ran(1ms, 301ms).cpu(12ms).switched(30, 0);
    worker second = worker().ran(1ms, 297ms).cpu(11ms).switched(29, 1);
    for (int i = 0; i < 10; ++i) {
        first.holding(1ms, 0).blocked(29ms);
        second.blocked(25ms).running(2ms, 1).blocked(i == 9 ? 0ms : 3ms);
    }
    return run_of(threads)
        .worker(first.returned("10"))
        .worker(second.returned("10"))
        .sharing_gil("main interpreter", 12)
        .sampled(1ms, 1100us)
        .report();
}

model::report one_of_four_raised() {
    run_of run(subinterp);
    for (int i = 0; i < 4; ++i) {
        worker one = worker()
                         .ran(3ms, i == 2 ? 43ms : 163ms)
                         .cpu(i == 2 ? 20ms : 80ms)
                         .queued(i == 2 ? 20ms : 79ms)
                         .memory(2'700'000);
        for (int slice = 0; slice < (i == 2 ? 5 : 20); ++slice) {
            if (i < 2)
                one.holding(4ms, i % 2).waiting_for_core(4ms, model::gil_state::held);
            else
                one.waiting_for_core(4ms, model::gil_state::held).holding(4ms, i % 2);
        }
        if (i == 2)
            one.raised("ZeroDivisionError", "division by zero");
        else
            one.returned(std::to_string(i * i));
        run.worker(one);
    }
    return run.own_gils("interpreter").sampled(1ms, 800us).report();
}

model::report recorded() {
    auto made = ping_pong();
    made.sampling->recorded = model::recorded_events{
        .switches = 131, .preemptions = 3, .acquisitions = 62, .longest_wait = 5'210us, .sampled = 0ns};
    return made;
}

model::report importing() {
    return run_of(procs)
        .worker(worker()
                    .in_process(5001, 5001)
                    .started(1ms, 21ms)
                    .imported(21ms, 186ms)
                    .received(186ms, 189ms)
                    .ran(190ms, 300ms)
                    .sent(300ms, 301ms)
                    .cpu(109ms)
                    .holding(110ms, 0)
                    .memory(61'000'000)
                    .moved({5'400, 0}, {900, 0})
                    .returned("12 rows"))
        .worker(worker()
                    .in_process(4990, 4990)
                    .received(1ms, 3ms)
                    .ran(190ms, 290ms)
                    .sent(290ms, 291ms)
                    .cpu(99ms)
                    .holding(100ms, 1)
                    .memory(62'000'000)
                    .moved({5'400, 0}, {800, 0})
                    .returned("11 rows"))
        .own_gils("process")
        .sampled(1ms, 1200us)
        .report();
}

model::report mapped() {
    return run_of(procs)
        .worker(worker().ran(1ms, 101ms).cpu(98ms).holding(100ms, 0).did(800).returned())
        .worker(worker().ran(1ms, 100ms).cpu(97ms).holding(99ms, 1).did(400).returned())
        .own_gils("process")
        .sampled(1ms, 500us)
        .items(1200, 3, 1200)
        .report();
}

model::report repeated() {
    std::vector<model::report> runs;
    for (const auto time : {30ms, 20ms, 40ms})
        runs.push_back(run_of(subinterp)
                           .worker(worker().ran(1ms, 1ms + time).cpu(time).holding(time, 0).returned("1"))
                           .worker(worker().ran(1ms, 11ms).cpu(9ms).holding(10ms, 1).returned("2"))
                           .own_gils("interpreter")
                           .sampled(1ms, 100us)
                           .report());
    return model::repeated(std::move(runs));
}

model::report hostile_strings() {
    return run_of(threads)
        .worker(worker().ran(1ms, 9ms).cpu(8ms).holding(8ms, 0).returned(
            "</script><script>alert(1)</script><img src=x onerror='x'>"))
        .worker(worker().ran(1ms, 8ms).cpu(2ms).waiting_for_gil(7ms).raised(
            "Evil\"Error", "\"quotes\" & 'more' ]]> \x1b[31mred\x01\x7f"))
        .worker(worker().ran(1ms, 8ms).cpu(1ms).blocked(7ms).raised(
            "שגיאה", "right\u202Eto left, مرحبا, 🐍👩‍💻, é, zero\u200Bwidth"))
        .worker(worker().ran(1ms, 8ms).cpu(1ms).blocked(7ms).returned("two\nlines\tand a tab"))
        .sharing_gil("<main> & \"interpreter\"", 3)
        .sampled(1ms, 100us)
        .report();
}

model::report nobody() {
    return run_of(threads).wall(100us).report();
}

model::report all_unknown() {
    return run_of(procs)
        .worker(worker().ran(1ms, 51ms).unknown(50ms).returned())
        .worker(worker().ran(1ms, 41ms).returned("7"))
        .worker(worker().ended(failed, "could not start: out of memory"))
        .cores({})
        .report();
}

model::report one_sample() {
    return run_of(threads)
        .worker(worker().ran(100us, 1100us).cpu(950us).not_sampled(400us).holding(300us, 1).returned())
        .worker(worker().ran(100us, 900us).cpu(50us).not_sampled(400us).waiting_for_gil(300us).returned())
        .sharing_gil("main interpreter")
        .sampled(1ms, 5us)
        .report();
}

model::report many_workers(int number) {
    std::vector<worker> all(static_cast<std::size_t>(number));
    for (worker& one : all)
        one.ran(1ms, 2001ms).cpu(700ms);
    dice chance(1);
    for (int tick = 0; tick < 500; ++tick) {
        const int holder = chance.roll(number);
        for (int i = 0; i < number; ++i) {
            worker& one = all[static_cast<std::size_t>(i)];
            const int what = (i + tick / 50) % 4 == 0 ? 4 : chance.roll(4);
            i == holder ? one.holding(4ms, 0)
            : what == 0 ? one.running(4ms, 1 + i % 7)
            : what == 1 ? one.waiting_for_core(4ms)
            : what == 2 ? one.waiting_for_gil(4ms)
                        : one.blocked(4ms);
        }
    }
    run_of run(threads);
    run.cores({0, 1, 2, 3, 4, 5, 6, 7});
    for (int i = 0; i < number; ++i) {
        worker& one = all[static_cast<std::size_t>(i)];
        run.worker(i % 7 == 3 ? one.ended(timed_out, "after 2 s").left_behind() : one.returned(std::to_string(i)));
    }
    return run.sharing_gil("main interpreter").sampled(1ms, 30ms).report();
}

model::report ten_minutes() {
    worker first = worker().ran(0ms, 10min).cpu(5min);
    worker second = worker().ran(0ms, 10min).cpu(5min);
    for (int i = 0; i < 60'000; ++i) {
        first.holding(5ms, 0).waiting_for_gil(5ms);
        second.waiting_for_gil(5ms).holding(5ms, 1);
    }
    return run_of(threads)
        .worker(first.returned())
        .worker(second.returned())
        .sharing_gil("main interpreter", 120'000)
        .sampled(1ms, 2s)
        .report();
}

model::report any_cell() {
    using model::lane_kind;
    worker first = worker().named(lane_kind::python_thread, "MainThread").ran(0ms, 120ms).cpu(54ms).holding(4ms, 1);
    worker second = worker().named(lane_kind::python_thread, "ThreadPoolExecutor-0_0").ran(4ms, 104ms).cpu(48ms);
    for (int i = 0; i < 10; ++i) {
        first.holding(5ms, i % 2).waiting_for_gil(5ms);
        second.waiting_for_gil(5ms).holding(5ms, i % 2);
    }
    return run_of(cores)
        .worker(first.blocked(15ms).holding(1ms, 1).queued(1ms))
        .worker(second)
        .sharing_gil("main interpreter", 21)
        .worker(worker()
                    .named(lane_kind::native_thread, "native: <blas> 4713")
                    .ran(0ms, 120ms)
                    .cpu(18ms)
                    .blocked(60ms)
                    .running(20ms, 0)
                    .blocked(40ms))
        .worker(worker()
                    .named(lane_kind::process, "process 4720 python3")
                    .ran(30ms, 118ms)
                    .cpu(70ms)
                    .elsewhere(70ms, 0)
                    .waiting_for_core(8ms, model::gil_state::unknown)
                    .blocked(10ms))
        .sampled(1ms, 1ms)
        .report();
}

std::vector<scenario> scenarios() {
    return {{"ping_pong", ping_pong()},
            {"side_by_side", side_by_side()},
            {"crashed_process", crashed_process()},
            {"reading_and_waiting", reading_and_waiting()},
            {"one_of_four_raised", one_of_four_raised()},
            {"recorded", recorded()},
            {"importing", importing()},
            {"mapped", mapped()},
            {"repeated", repeated()},
            {"hostile_strings", hostile_strings()},
            {"nobody", nobody()},
            {"all_unknown", all_unknown()},
            {"one_sample", one_sample()},
            {"any_cell", any_cell()}};
}

} // namespace xcores::test
