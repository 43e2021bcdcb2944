// SPDX-License-Identifier: BSD-3-Clause
#include <catch2/catch_approx.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include <support/comparisons.hpp>
#include <support/report_builder.hpp>
#include <xcores/model/comparison.hpp>

namespace {

using namespace std::chrono_literals;
using namespace xcores;
using namespace xcores::model;
using Catch::Approx;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::Message;
using Catch::Matchers::StartsWith;
using enum worker_kind;
using cause = recommendation::cause;
using test::serially;
using test::way;

comparison of(work_reading reading, std::vector<configuration> configurations) {
    return test::comparison_of(reading, std::move(configurations));
}

configuration held_up(int workers, std::vector<nanoseconds> walls) {
    configuration one = way(threads, workers, std::move(walls));
    one.gil_held = 0.99;
    one.gil_wait = 0.5;
    return one;
}

configuration failing(worker_kind kind, std::string why) {
    configuration one = way(kind, 2, {});
    one.failure = std::move(why);
    return one;
}

} // namespace

TEST_CASE("a run adds its time from when all workers were ready") {
    configuration one = way(procs, 2, {});
    const auto cold = test::worker()
                          .started(0ms, 50ms)
                          .received(50ms, 60ms)
                          .ran(60ms, 160ms)
                          .cpu(100ms)
                          .memory(10'000'000)
                          .returned();
    const auto quicker =
        test::worker().started(0ms, 40ms).received(50ms, 60ms).ran(60ms, 160ms).cpu(50ms).memory(5'000'000).returned();
    add_round(one, test::run_of(procs).worker(cold).worker(quicker).report());
    CHECK(one.walls == std::vector<nanoseconds>{110ms});
    CHECK(one.startup == 50ms);
    CHECK(one.memory_bytes == 15'000'000);
    const auto sharing = test::worker().ran(0ms, 10ms).memory(10'000'000).shares(4'000'000, 3'000'000).returned();
    configuration other = way(procs, 2, {});
    add_round(other, test::run_of(procs).worker(sharing).worker(sharing).report());
    CHECK(other.memory_bytes == 8'000'000); // pages that both have are there once
    CHECK(one.cores_busy.value() == Approx(1.5));
    CHECK(one.transfer.value() == Approx(10.0 / 110));
    CHECK_FALSE(one.gil_wait);
}

TEST_CASE("what new workers import is no part of their first round, nor of their start-up") {
    configuration one = way(procs, 2, {});
    const auto importing =
        test::worker().started(0ms, 50ms).imported(50ms, 350ms).received(350ms, 360ms).ran(360ms, 460ms).returned();
    const auto quicker =
        test::worker().started(0ms, 40ms).imported(40ms, 240ms).received(240ms, 250ms).ran(360ms, 460ms).returned();
    add_round(one, test::run_of(procs).worker(importing).worker(quicker).report());
    CHECK(one.startup == 50ms);
    CHECK(one.imports == 300ms);
    CHECK(one.walls == std::vector<nanoseconds>{110ms});
    CHECK(one.transfer.value() == Approx(10.0 / 110));
    const auto warm = test::worker().received(0ms, 10ms).ran(10ms, 110ms).returned();
    add_round(one, test::run_of(procs).worker(warm).worker(warm).report());
    CHECK(one.imports == 300ms);
    CHECK(one.walls.back() == 110ms);
}

TEST_CASE("the bytes moved are those of the round that moved most, both ways, copied or shared") {
    configuration one = way(procs, 2, {});
    const auto idle = test::worker().ran(0ms, 10ms).returned();
    add_round(one, test::run_of(procs).worker(idle).report());
    CHECK_FALSE(one.moved_bytes);
    const auto busy = test::worker().ran(0ms, 10ms).moved({100, 2'000}, {30, 4'000}).returned();
    add_round(one, test::run_of(procs).worker(busy).worker(busy).report());
    add_round(one, test::run_of(procs).worker(busy).worker(idle).report());
    CHECK(one.moved_bytes == 2 * 6'130);
}

TEST_CASE("rounds are averaged, and a round that was not sampled changes nothing") {
    configuration one = way(threads, 2, {});
    const auto half = test::worker().ran(0ms, 10ms).cpu(5ms).holding(5ms).waiting_for_gil(5ms).returned();
    const auto none = test::worker().ran(0ms, 10ms).cpu(10ms).holding(10ms).returned();
    const auto unsampled = test::worker().ran(0ms, 10ms).cpu(10ms).returned();
    add_round(one, test::run_of(threads).worker(half).worker(half).sharing_gil("main").report());
    add_round(one, test::run_of(threads).worker(none).worker(none).sharing_gil("main").report());
    CHECK(one.gil_wait.value() == Approx(0.25));
    add_round(one, test::run_of(threads).worker(unsampled).worker(unsampled).sharing_gil("main").report());
    CHECK(one.gil_wait.value() == Approx(0.25));
    CHECK(one.gil_held.value() == Approx(1.5));
    CHECK(one.walls.size() == 3);
    CHECK_FALSE(one.startup);
}

TEST_CASE("work that is divided is compared as a whole") {
    const auto all = of(work_reading::divided, {serially({100ms}), way(procs, 2, {50ms})});
    CHECK(speedup_of(all, all.configurations[1])->median == Approx(2));
    CHECK(efficiency_of(all, all.configurations[1]).value() == Approx(1));
    CHECK(time_of(all, all.configurations[1])->median == Approx(50e6));
}

TEST_CASE("work that every worker repeats counts as often as it is done") {
    const auto all = of(work_reading::repeated, {serially({100ms}), way(procs, 4, {200ms})});
    CHECK(speedup_of(all, all.configurations[1])->median == Approx(2));
    CHECK(efficiency_of(all, all.configurations[1]).value() == Approx(0.5));
    CHECK(time_of(all, all.configurations[1])->median == Approx(50e6));
}

TEST_CASE("numbered parts are compared with the same parts one after the other") {
    auto two = serially({300ms});
    two.workers = 2;
    const auto all = of(work_reading::numbered, {serially({100ms}), two, way(procs, 2, {200ms})});
    CHECK(speedup_of(all, all.configurations[2])->median == Approx(1.5));
    CHECK(label_of(two) == "serial, 2 parts");
}

TEST_CASE("speed-up is taken within each round, so that a slow moment of the machine cancels out") {
    const auto all = of(work_reading::divided, {serially({100ms, 1000ms, 100ms}), way(procs, 2, {50ms, 500ms, 40ms})});
    const auto speedup = speedup_of(all, all.configurations[1]);
    CHECK(speedup->least == Approx(2));
    CHECK(speedup->median == Approx(2));
    CHECK(speedup->most == Approx(2.5));
}

TEST_CASE("speed-up is the ratio of the times shown, and what other programs took makes an estimate beside it") {
    auto serial = serially({400ms});
    serial.core_waits = {300ms};
    auto quiet = way(procs, 2, {50ms});
    quiet.core_waits = {0ms};
    const auto all = of(work_reading::divided, {serial, quiet});
    CHECK(speedup_of(all, all.configurations[1])->median == Approx(8));
    CHECK(idle_speedup_of(all, all.configurations[1])->median == Approx(2));
    CHECK(time_of(all, all.configurations[0])->median == Approx(400e6));
    CHECK(core_wait_of(serial).value() == Approx(0.75));
    CHECK_THAT(disturbance_text(all), StartsWith("Other programs took up to 75 % of the core time"));
    CHECK(disturbance_text(of(work_reading::divided, {quiet})).empty());
    CHECK_FALSE(idle_speedup_of(of(work_reading::divided, {serially({100ms}), quiet}), quiet));
}

TEST_CASE("an estimate for an idle machine is not more than its cores can give, unless the workers wait") {
    const auto estimated = [](configuration parallel) {
        auto serial = serially({100ms});
        serial.core_waits = {0ms};
        parallel.core_waits = {20ms};
        auto all = of(work_reading::divided, {serial, parallel});
        all.environment.cores = {0, 1};
        return idle_speedup_of(all, all.configurations[1]);
    };
    CHECK(estimated(way(procs, 4, {70ms}))->median == Approx(2));
    CHECK_FALSE(estimated(way(procs, 4, {60ms})));
    auto waiting = way(procs, 4, {60ms});
    waiting.blocked = 0.9;
    CHECK(estimated(waiting)->median == Approx(2.5));
}

TEST_CASE("the speed-up lies within those of the rounds, and equal times have equal speed-ups") {
    const auto all =
        of(work_reading::divided, {serially({571ms, 600ms, 540ms}), way(subinterp, 2, {540ms, 300ms, 700ms}),
                                   way(subinterp, 4, {300ms, 700ms, 540ms})});
    const auto two = speedup_of(all, all.configurations[1]);
    const auto four = speedup_of(all, all.configurations[2]);
    CHECK(two->median == Approx(571.0 / 540));
    CHECK(two->median == Approx(four->median));
    CHECK(two->least <= two->median);
    CHECK(two->median <= two->most);
}

TEST_CASE("a core wait longer than the round does not make it free") {
    auto odd = way(procs, 2, {50ms});
    odd.core_waits = {80ms};
    const auto all = of(work_reading::divided, {serially({100ms}), odd});
    CHECK(idle_speedup_of(all, all.configurations[1]).has_value() == false); // of serial it is unknown
    auto serial = serially({100ms});
    serial.core_waits = {0ms};
    const auto known = of(work_reading::divided, {serial, odd});
    CHECK_FALSE(idle_speedup_of(known, known.configurations[1])); // 100 times is not possible with 2 workers
}

TEST_CASE("a run loses the time in which nobody but others had a core that it could have used") {
    const auto holder = test::worker()
                            .ran(0ms, 90ms)
                            .queued(30ms)
                            .holding(30ms)
                            .waiting_for_core(30ms, gil_state::held)
                            .holding(30ms)
                            .returned();
    const auto last = test::worker()
                          .ran(0ms, 100ms)
                          .queued(4ms)
                          .waiting_for_gil(50ms)
                          .blocked(5ms)
                          .waiting_for_gil(35ms)
                          .holding(10ms)
                          .returned();
    configuration one = way(threads, 2, {});
    add_round(one, test::run_of(threads).worker(holder).worker(last).sharing_gil("main").report());
    REQUIRE(one.core_waits.size() == 1);
    CHECK(static_cast<double>(one.core_waits[0].count()) == Approx(30e6).epsilon(0.1));
    configuration crowded = way(threads, 2, {});
    add_round(crowded, test::run_of(threads).worker(holder).worker(last).cores({0}).report());
    REQUIRE(crowded.core_waits.size() == 1);
    CHECK(crowded.core_waits == one.core_waits); // the same rule, however many workers there are
}

TEST_CASE("an even number of rounds has its median between the middle two") {
    const auto all = of(work_reading::divided, {serially({100ms, 200ms})});
    CHECK(time_of(all, all.configurations[0])->median == Approx(150e6));
}

TEST_CASE("what was not measured has no figure") {
    const auto all = of(work_reading::divided, {serially({}), way(procs, 2, {50ms})});
    CHECK_FALSE(speedup_of(all, all.configurations[1]));
    CHECK_FALSE(efficiency_of(all, all.configurations[1]));
    CHECK_FALSE(time_of(all, all.configurations[0]));
    CHECK_FALSE(speedup_of(all, all.configurations[0]));
}

TEST_CASE("CPU-bound Python: interpreters, because threads hold the GIL") {
    const auto use = recommendation_for(test::cpu_bound());
    CHECK(use.kind == subinterp);
    CHECK(use.workers == 2);
    CHECK(use.why == cause::parallel_python);
    CHECK(use.sentence == "Use %%subinterp 2: 1.9 times as fast as serial; threads gain nothing because they hold the "
                          "GIL 99 % of the time; processes are as fast but take 62.0 ms to start instead of 20.0 ms "
                          "and 28.0 MB instead of 5.6 MB.");
}

TEST_CASE("waiting: threads, because all kinds overlap it and threads cost least") {
    const auto use = recommendation_for(test::waiting());
    CHECK(use.kind == threads);
    CHECK(use.workers == 4);
    CHECK(use.why == cause::waiting);
    CHECK(use.sentence == "Use %%threads 4: 3.9 times as fast as serial; it waits 98 % of the time, and waiting "
                          "overlaps in every kind; threads start fastest.");
}

TEST_CASE("threads that only wait are as good as others if they were in a single round") {
    const auto waiting = [](worker_kind kind, std::vector<nanoseconds> walls, double gil_wait = 0) {
        auto one = way(kind, 4, std::move(walls));
        one.blocked = 0.9;
        one.gil_wait = gil_wait;
        return one;
    };
    const auto recommended = [&](const configuration& by_threads) {
        return recommendation_for(of(work_reading::divided,
                                     {serially({100ms, 100ms, 100ms}), by_threads, waiting(procs, {26ms, 30ms, 40ms})}))
            .kind;
    };
    CHECK(recommended(waiting(threads, {40ms, 45ms, 31ms})) == threads);
    CHECK(recommended(waiting(threads, {40ms, 45ms, 39ms})) == procs);
    CHECK(recommended(waiting(threads, {40ms, 45ms, 31ms}, 0.2)) == procs); // they wait for the GIL as well
    CHECK(recommended(way(threads, 4, {40ms, 45ms, 31ms})) == procs);       // they do not wait
}

TEST_CASE("more workers than keep the cores busy are recommended only if the fewer never came near") {
    const auto busy = [](int workers, std::vector<nanoseconds> walls) {
        auto one = way(procs, workers, std::move(walls));
        one.cores_busy = 1.9;
        return one;
    };
    const auto recommended = [&](std::vector<nanoseconds> by_two, double cores_busy = 1.9) {
        auto two = busy(2, std::move(by_two));
        two.cores_busy = cores_busy;
        return recommendation_for(
                   of(work_reading::divided, {serially({100ms, 100ms, 100ms}), two, busy(8, {50ms, 50ms, 50ms})}))
            .workers;
    };
    CHECK(recommended({60ms, 62ms, 51ms}) == 2);
    CHECK(recommended({60ms, 62ms, 59ms}) == 8);
    CHECK(recommended({60ms, 62ms, 51ms}, 1.2) == 8); // they left something to do for more
}

TEST_CASE("much data: stay serial, because moving it costs more than the work saves") {
    const auto use = recommendation_for(test::data_heavy());
    CHECK_FALSE(use.kind);
    CHECK(use.why == cause::data);
    CHECK(use.sentence == "Stay serial: the best of the others, threads 2, is 0.99 times as fast; the data costs more "
                          "to move than the work saves (moving 96.0 MB takes 81 % of the time with subinterpreters); "
                          "threads gain nothing because they hold the GIL 98 % of the time.");
}

TEST_CASE("little data is not said to hold anything up") {
    auto all = test::data_heavy();
    for (auto& one : all.configurations)
        if (one.moved_bytes)
            one.moved_bytes = 10'000;
    const auto use = recommendation_for(all);
    CHECK(use.why != cause::data);
    CHECK_THAT(use.sentence, !Catch::Matchers::ContainsSubstring("moving"));
}

TEST_CASE("work that lets the GIL go: threads, and the sentence says why") {
    auto free = way(threads, 2, {52ms});
    free.without_gil = 0.93;
    const auto use = recommendation_for(of(work_reading::divided, {serially({100ms}), free, way(procs, 2, {51ms})}));
    CHECK(use.kind == threads);
    CHECK(use.why == cause::shared_gil_free);
    CHECK_THAT(use.sentence, ContainsSubstring("it runs without the GIL 93 % of its running time"));
}

TEST_CASE("a Python without a GIL needs no other kind than threads") {
    auto all = of(work_reading::divided, {serially({100ms}), way(threads, 2, {52ms}), way(procs, 2, {51ms})});
    all.environment.gil_disabled = true;
    CHECK(recommendation_for(all).why == cause::shared_gil_free);
}

TEST_CASE("threads that wait for the GIL more than anybody is seen to hold it are told by their waiting") {
    auto waiting = way(threads, 2, {100ms});
    waiting.gil_held = 0.4;
    waiting.gil_wait = 0.21;
    CHECK_THAT(recommendation_for(of(work_reading::divided, {serially({100ms}), waiting})).sentence,
               ContainsSubstring("threads gain nothing because they wait for the GIL 21 % of the time"));
}

TEST_CASE("a cell of a millisecond is too short to hand out") {
    const auto use = recommendation_for(of(work_reading::divided, {serially({1ms}), way(threads, 2, {2ms})}));
    CHECK_FALSE(use.kind);
    CHECK(use.why == cause::too_short);
    CHECK_THAT(use.sentence, ContainsSubstring("the cell takes 1.00 ms, too little to hand out"));
}

TEST_CASE("a kind that cannot run the cell is named with its reason, and another one recommended") {
    const auto use =
        recommendation_for(of(work_reading::divided, {serially({100ms}), held_up(2, {100ms}), way(procs, 2, {55ms}),
                                                      failing(subinterp, "ImportError: the cell needs numpy")}));
    CHECK(use.kind == procs);
    CHECK_THAT(use.sentence, ContainsSubstring("subinterpreters cannot run it (ImportError: the cell needs numpy)"));
}

TEST_CASE("when threads fail, the sentence says so") {
    const auto use = recommendation_for(
        of(work_reading::divided, {serially({100ms}), failing(threads, "RuntimeError: no"), way(procs, 2, {55ms})}));
    CHECK_THAT(use.sentence, ContainsSubstring("threads cannot run it (RuntimeError: no)"));
    CHECK(use.why == cause::faster);
}

TEST_CASE("fewer workers that are as fast are preferred") {
    const auto use =
        recommendation_for(of(work_reading::divided, {serially({100ms}), held_up(2, {99ms}), way(subinterp, 2, {52ms}),
                                                      way(subinterp, 4, {51ms})}));
    CHECK(use.workers == 2);
}

TEST_CASE("one worker does what serial does and is never recommended for being faster by chance") {
    const auto use = recommendation_for(of(work_reading::divided, {serially({100ms}), way(subinterp, 1, {60ms})}));
    CHECK(use.sentence == "Stay serial: one worker does what serial does.");
    const auto two = recommendation_for(
        of(work_reading::divided, {serially({100ms}), way(subinterp, 1, {40ms}), way(subinterp, 2, {50ms})}));
    CHECK(two.workers == 2);
}

TEST_CASE("threads that are seen to wait for the GIL need more than luck to be recommended") {
    const auto use = recommendation_for(of(work_reading::divided, {serially({100ms}), held_up(2, {85ms})}));
    CHECK(use.sentence ==
          "Stay serial: the best of the others, threads 2, is 1.2 times as fast; that is probably noise, "
          "because they hold the GIL 99 % of the time.");
    CHECK(recommendation_for(of(work_reading::divided, {serially({100ms}), held_up(2, {60ms})})).kind == threads);
    CHECK(recommendation_for(of(work_reading::divided, {serially({100ms}), way(threads, 2, {85ms})})).kind == threads);
}

TEST_CASE("threads are praised only for what was measured") {
    auto all = test::waiting();
    for (auto& one : all.configurations)
        if (one.kind == threads)
            one.startup = 1h;
    CHECK_THAT(recommendation_for(all).sentence, Catch::Matchers::EndsWith("waiting overlaps in every kind."));
    CHECK_THAT(recommendation_for(of(work_reading::divided, {all.configurations[0], all.configurations[3]})).sentence,
               Catch::Matchers::EndsWith("waiting overlaps in every kind."));
}

TEST_CASE("processes that win over interpreters are recommended with the others' figures") {
    auto slow = way(subinterp, 2, {80ms});
    slow.transfer = 0.4;
    const auto use = recommendation_for(
        of(work_reading::divided, {serially({100ms}), held_up(2, {60ms}), slow, way(procs, 2, {50ms})}));
    CHECK(use.kind == procs);
    CHECK(use.sentence == "Use %%procs 2: 2.0 times as fast as serial; threads reach only 1.7 times because they hold "
                          "the GIL 99 % of the time; subinterpreters reach 1.2 times, 40 % of their time goes into "
                          "moving data.");
}

TEST_CASE("kinds that are as fast differ in what it takes to start them and to import what they need") {
    auto interpreters = way(subinterp, 2, {50ms});
    interpreters.startup = 20ms;
    auto processes = way(procs, 2, {50ms});
    processes.startup = 50ms;
    const auto sentence = [&] {
        return recommendation_for(
                   of(work_reading::divided, {serially({100ms}), held_up(2, {100ms}), interpreters, processes}))
            .sentence;
    };
    CHECK_THAT(sentence(), ContainsSubstring("as fast but take 50.0 ms to start instead of 20.0 ms"));
    processes.imports = 3s;
    CHECK_THAT(sentence(), ContainsSubstring("as fast but take 3.05 s to start and import instead of 20.0 ms"));
    interpreters.imports = 4s;
    CHECK_THAT(sentence(), Catch::Matchers::EndsWith("processes are as fast."));
}

TEST_CASE("nothing faster without a reason in the figures is said plainly") {
    const auto use = recommendation_for(of(work_reading::divided, {serially({100ms}), way(procs, 2, {98ms})}));
    CHECK_FALSE(use.kind);
    CHECK(use.why == cause::no_gain);
    CHECK(use.sentence == "Stay serial: the best of the others, procs 2, is 1.0 times as fast.");
}

TEST_CASE("a machine with one core is blamed where nothing gains") {
    auto all = of(work_reading::divided, {serially({100ms}), way(procs, 2, {102ms})});
    all.environment.cores = {3};
    CHECK_THAT(recommendation_for(all).sentence, ContainsSubstring("there is only one core"));
}

TEST_CASE("different results come before any speed") {
    auto other = way(procs, 2, {50ms});
    other.results = agreement::different;
    const auto all = of(work_reading::divided, {serially({100ms}), other});
    CHECK_THAT(recommendation_for(all).sentence,
               ContainsSubstring("but procs 2 returned something else: find out why first"));
    CHECK_THAT(agreement_text(all), ContainsSubstring("different with procs 2"));
}

TEST_CASE("only ways whose workers have imported something say so, as it was before imports were measured") {
    auto all = test::cpu_bound();
    all.configurations.back().imports = 1s;
    const auto document = to_json(all);
    CHECK_FALSE(document["configurations"].front().contains("import_ns"));
    CHECK(document["configurations"].back()["import_ns"] == 1'000'000'000);
    CHECK(comparison_from_json(document) == all);
}

TEST_CASE("results that differ from run to run accuse nobody") {
    auto serial = serially({100ms});
    serial.results = agreement::varies;
    auto other = way(procs, 2, {50ms});
    other.results = agreement::varies;
    const auto all = of(work_reading::divided, {serial, other});
    const auto sentence = recommendation_for(all).sentence;
    CHECK_THAT(sentence, ContainsSubstring("; the results differ from run to run (random numbers?), so they cannot be "
                                           "compared."));
    CHECK(sentence.find("something else") == std::string::npos);
    CHECK_THAT(agreement_text(all), StartsWith("The results differ from run to run (random numbers?)"));
    const auto alone = of(work_reading::divided, {serially({100ms}), other});
    CHECK(agreement_text(alone) == "The results of procs 2 differ from run to run.");
    CHECK(comparison_from_json(to_json(all)) == all);
}

namespace {

configuration disturbed(configuration one, std::vector<nanoseconds> lost) {
    one.core_waits = std::move(lost);
    return one;
}

} // namespace

TEST_CASE("on a busy machine the ratio measured is told, and beside it what an idle one would show") {
    const auto use = recommendation_for(
        of(work_reading::divided, {disturbed(serially({100ms}), {0ms}), disturbed(way(subinterp, 2, {71ms}), {18ms})}));
    CHECK(use.kind == subinterp);
    CHECK(use.sentence == "Use %%subinterp 2: 1.4 times as fast as serial, about 1.9 times on an idle machine.");
}

TEST_CASE("what was not faster as measured is not recommended for an estimate") {
    const auto use = recommendation_for(of(
        work_reading::divided, {disturbed(serially({100ms}), {0ms}), disturbed(way(subinterp, 2, {102ms}), {49ms})}));
    CHECK_FALSE(use.kind);
    CHECK(use.why == cause::disturbed);
    CHECK(use.sentence ==
          "No recommendation, because other programs used the cores; %%subinterp 2 was 0.98 times as fast "
          "as serial.");
}

TEST_CASE("where others took most of the cores not even the estimate is trusted") {
    const auto use = recommendation_for(of(work_reading::divided, {disturbed(serially({400ms}), {300ms}),
                                                                   disturbed(way(subinterp, 2, {150ms}), {110ms})}));
    CHECK(use.why == cause::disturbed);
    CHECK_THAT(use.sentence, StartsWith("No recommendation"));
}

TEST_CASE("without figures there is nothing to recommend") {
    CHECK(recommendation_for(of(work_reading::divided, {})).sentence ==
          "Nothing to recommend: no two ways of running the cell were measured.");
    auto broken = serially({});
    broken.failure = "ZeroDivisionError: division by zero";
    CHECK(recommendation_for(of(work_reading::divided, {broken, way(procs, 2, {50ms})})).sentence ==
          "Nothing to recommend: serial failed (ZeroDivisionError: division by zero).");
}

TEST_CASE("it is said what the results were compared with") {
    auto same = way(procs, 2, {50ms});
    same.results = agreement::same;
    CHECK(agreement_text(of(work_reading::repeated, {serially({90ms}), same})) ==
          "Compared each worker's result with that of the serial run: all the same.");
    CHECK(agreement_text(of(work_reading::divided, {serially({90ms}), way(threads, 2, {50ms})})) ==
          "Compared the workers' results with those of the other kinds with as many workers: nothing to compare for "
          "threads 2.");
    CHECK(agreement_text(of(work_reading::divided, {serially({90ms})})).empty());
    CHECK_THAT(reading_text(of(work_reading::numbered, {})), StartsWith("The cell reads `worker`"));
}

TEST_CASE("a comparison survives JSON") {
    for (const comparison& all : {test::cpu_bound(), test::waiting(), test::data_heavy(), comparison{}}) {
        const auto document = nlohmann::json::parse(to_json(all).dump());
        CHECK(comparison_from_json(document) == all);
    }
    CHECK(to_json(test::waiting())["recommendation"]["kind"] == "threads");
}

TEST_CASE("a comparison that is none is refused with the place") {
    auto document = to_json(test::cpu_bound());
    document["configurations"][1]["workers"] = "two";
    CHECK_THROWS_MATCHES(comparison_from_json(document), std::invalid_argument,
                         Message("comparison: configurations[1].workers: expected an integer"));
    document["schema"] = "xcores.run/1";
    CHECK_THROWS_MATCHES(comparison_from_json(document), std::invalid_argument,
                         Message("comparison: schema: expected \"xcores.comparison/1\", not \"xcores.run/1\""));
}
