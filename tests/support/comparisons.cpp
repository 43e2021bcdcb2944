// SPDX-License-Identifier: BSD-3-Clause
#include <support/comparisons.hpp>

namespace xcores::test {

namespace {

using namespace std::chrono_literals;
using namespace model;
using enum worker_kind;

constexpr std::int64_t megabyte = 1'000'000;

configuration with_costs(configuration one, nanoseconds startup, std::optional<std::int64_t> memory) {
    one.startup = startup;
    one.memory_bytes = memory;
    one.results = agreement::same;
    return one;
}

configuration as_threads(configuration one, double gil_held, double gil_wait) {
    one = with_costs(std::move(one), 120us, std::nullopt);
    one.gil_held = gil_held;
    one.gil_wait = gil_wait;
    return one;
}

configuration sleeping(configuration one) {
    one.blocked = 0.98;
    one.cores_busy = 0.02 * one.workers;
    return one;
}

configuration loaded(configuration one, double transfer) {
    one.transfer = transfer;
    one.moved_bytes = 96 * megabyte;
    return one;
}

} // namespace

configuration serially(std::vector<nanoseconds> walls) {
    configuration one;
    one.walls = std::move(walls);
    return one;
}

configuration way(worker_kind kind, int workers, std::vector<nanoseconds> walls) {
    configuration one = serially(std::move(walls));
    one.kind = kind;
    one.workers = workers;
    return one;
}

comparison comparison_of(work_reading reading, std::vector<configuration> configurations) {
    comparison all;
    all.environment.xcores = "0.1.0";
    all.environment.python = "3.14.8";
    all.environment.platform = "Linux";
    all.environment.cpu = "a processor";
    all.environment.cores = {0, 1};
    all.reading = reading;
    all.configurations = std::move(configurations);
    for (const configuration& one : all.configurations)
        all.rounds = std::max(all.rounds, static_cast<int>(one.walls.size()));
    return all;
}

comparison cpu_bound() {
    return comparison_of(work_reading::divided,
                         {serially({812ms, 840ms, 806ms}), as_threads(way(threads, 1, {815ms, 842ms, 810ms}), 1.0, 0.0),
                          as_threads(way(threads, 2, {830ms, 861ms, 822ms}), 0.99, 0.5),
                          with_costs(way(subinterp, 1, {818ms, 844ms, 812ms}), 14ms, 2'800'000),
                          with_costs(way(subinterp, 2, {425ms, 452ms, 420ms}), 20ms, 5'600'000),
                          with_costs(way(procs, 1, {820ms, 846ms, 815ms}), 58ms, 14 * megabyte),
                          with_costs(way(procs, 2, {428ms, 440ms, 424ms}), 62ms, 28 * megabyte)});
}

comparison waiting() {
    std::vector<configuration> all{serially({800ms, 801ms, 800ms})};
    const std::vector<std::vector<nanoseconds>> walls{
        {801ms, 801ms, 802ms}, {402ms, 401ms, 402ms}, {203ms, 203ms, 204ms}};
    for (std::size_t i = 0; i < walls.size(); ++i)
        all.push_back(sleeping(as_threads(way(threads, 1 << i, walls[i]), 0.01, 0.0)));
    for (std::size_t i = 0; i < walls.size(); ++i)
        all.push_back(sleeping(with_costs(way(subinterp, 1 << i, walls[i]), 20ms, (1 << i) * 2'800'000)));
    for (std::size_t i = 0; i < walls.size(); ++i)
        all.push_back(sleeping(with_costs(way(procs, 1 << i, walls[i]), 70ms, (1 << i) * 14 * megabyte)));
    return comparison_of(work_reading::divided, std::move(all));
}

comparison data_heavy() {
    return comparison_of(work_reading::divided,
                         {serially({98ms, 104ms, 99ms}), as_threads(way(threads, 2, {99ms, 103ms, 100ms}), 0.98, 0.49),
                          loaded(with_costs(way(subinterp, 2, {310ms, 322ms, 305ms}), 21ms, 90 * megabyte), 0.81),
                          loaded(with_costs(way(procs, 2, {402ms, 418ms, 396ms}), 64ms, 180 * megabyte), 0.85)});
}

comparison on_a_busy_machine() {
    comparison all =
        comparison_of(work_reading::mapped,
                      {serially({571ms, 580ms, 560ms}), as_threads(way(threads, 2, {610ms, 590ms, 620ms}), 0.98, 0.48),
                       with_costs(way(subinterp, 2, {420ms, 440ms, 400ms}), 20ms, 5'600'000),
                       with_costs(way(subinterp, 4, {425ms, 430ms, 410ms}), 30ms, 9'600'000),
                       with_costs(way(procs, 2, {450ms, 455ms, 420ms}), 62ms, 28 * megabyte)});
    const std::vector<std::vector<nanoseconds>> lost{
        {20ms, 30ms, 10ms}, {60ms, 40ms, 70ms}, {130ms, 150ms, 110ms}, {120ms, 130ms, 115ms}, {150ms, 155ms, 120ms}};
    for (std::size_t i = 0; i < lost.size(); ++i)
        all.configurations[i].core_waits = lost[i];
    return all;
}

comparison with_failures() {
    configuration refused = way(subinterp, 2, {});
    refused.failure = "ImportError: the cell needs `</text><script>alert(1)</script>` & \"numpy\", which refuses";
    configuration other = with_costs(way(procs, 2, {108ms}), 62ms, 60 * megabyte);
    other.results = agreement::different;
    return comparison_of(work_reading::repeated,
                         {serially({100ms}), as_threads(way(threads, 2, {170ms}), 0.3, 0.02), refused, other});
}

comparison interrupted() {
    comparison all = comparison_of(work_reading::numbered,
                                   {serially({2s}), as_threads(way(threads, 2, {}), 0.99, 0.5), way(procs, 2, {})});
    all.configurations.front().workers = 2;
    all.rounds = 3;
    all.interrupted = true;
    return all;
}

comparison sixty_four_workers() {
    std::vector<configuration> all{serially({10s, 10s})};
    for (const worker_kind kind : {threads, subinterp, procs})
        for (int workers = 1; workers <= 64; workers *= 2) {
            const double factor = kind == threads ? 1.0 : workers / (1 + 0.01 * workers * static_cast<int>(kind));
            const auto wall = std::chrono::duration_cast<nanoseconds>(10s / factor);
            all.push_back(way(kind, workers, {wall, wall + wall / 10}));
        }
    return comparison_of(work_reading::divided, std::move(all));
}

} // namespace xcores::test
