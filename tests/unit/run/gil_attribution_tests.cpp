// SPDX-License-Identifier: BSD-3-Clause
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <xcores/run/gil_attribution.hpp>

using namespace xcores;
using namespace std::chrono_literals;
using model::gil_state;
using model::thread_state;
using run::nanoseconds;
using run::segment;

namespace {

constexpr std::uintptr_t shared_gil = 1;

run::sampled_interval between_samples(const run::segments& seen, std::uintptr_t gil = shared_gil) {
    return {.gil = gil, .start = 0ms, .end = 10ms, .handovers = 2, .seen = seen};
}
run::sampled_interval shows(const segment& first, const segment& second = {}, std::uintptr_t gil = shared_gil) {
    return between_samples({{first, second}}, gil);
}
run::sampled_interval asks(const segment& first, const segment& second, run::gil_question question) {
    return between_samples({{first, second}, question});
}

constexpr segment held(nanoseconds length) {
    return {length, thread_state::running, gil_state::held, 0};
}
constexpr segment ran(nanoseconds length) {
    return {length, thread_state::running, gil_state::unknown, 0};
}
constexpr segment ran_without(nanoseconds length) {
    return {length, thread_state::running, gil_state::not_held, 0};
}
constexpr segment waited(nanoseconds length) {
    return {length, thread_state::waiting_gil, gil_state::not_held, 0};
}
run::sampled_interval waiting_at_both(nanoseconds length, std::uintptr_t gil = shared_gil) {
    return between_samples({{ran(length), waited(10ms - length)}, run::gil_question::while_waiting}, gil);
}

} // namespace

TEST_CASE("a thread that waited at both samples held the GIL while it ran, where that fits between the known holders") {
    std::vector threads{shows(held(2ms), waited(8ms)), waiting_at_both(3ms), waiting_at_both(3ms),
                        shows(waited(8ms), held(2ms))};
    run::attribute_gil(threads);
    CHECK(threads[1].seen[0] == waited(2ms));
    CHECK(threads[1].seen[1] == held(3ms));
    CHECK(threads[1].seen[3] == waited(5ms));
    CHECK(threads[2].seen[0] == waited(5ms));
    CHECK(threads[2].seen[1] == held(3ms));
    CHECK(threads[2].seen[3] == waited(2ms));
    CHECK(threads[0].seen[0] == held(2ms));
    CHECK(threads[3].seen[1] == held(2ms));
}

TEST_CASE("the time that a finished thread held the GIL is not free") {
    const auto gone = shows(held(4ms));
    CHECK(run::end_of_hold(gone) == 4ms);
    CHECK(run::end_of_hold(shows(waited(8ms))) == 0ms);
    std::vector threads{waiting_at_both(3ms), shows(waited(8ms), held(2ms))};
    threads[0].not_before = run::end_of_hold(gone);
    run::attribute_gil(threads);
    CHECK(threads[0].seen[0] == waited(4ms));
    CHECK(threads[0].seen[1] == held(3ms));
}

TEST_CASE("a thread added during the interval does not shrink the free GIL time") {
    std::vector threads{shows(held(2ms), waited(8ms)), waiting_at_both(3ms), shows({})};
    threads[2].start = threads[2].end;
    run::attribute_gil(threads);
    CHECK(threads[1].seen[1] == held(3ms));
}

TEST_CASE("what ran for longer than the GIL was free stays unknown") {
    std::vector threads{shows({}, held(10ms)), waiting_at_both(3ms)};
    run::attribute_gil(threads);
    CHECK(threads[1].seen[0] == ran(3ms));
    CHECK(threads[1].seen[1] == waited(7ms));
}

TEST_CASE("what a thread that mostly slept ran must fit too") {
    const auto woke = [](nanoseconds length) {
        return shows(ran(length), {10ms - length, thread_state::blocked, gil_state::not_held, 0});
    };
    std::vector threads{woke(2ms), waiting_at_both(6ms), shows(held(2ms), waited(8ms))};
    run::attribute_gil(threads);
    CHECK(threads[1].seen[1] == held(6ms));
    CHECK(threads[0].seen[0] == ran(2ms));
    threads = {woke(4ms), waiting_at_both(6ms), shows(held(2ms), waited(8ms))};
    run::attribute_gil(threads);
    CHECK(threads[1].seen[0] == ran(6ms));
}

TEST_CASE("each GIL is attributed to its own threads") {
    std::vector threads{shows({}, held(10ms), 2), waiting_at_both(3ms), waiting_at_both(3ms, 0)};
    run::attribute_gil(threads);
    CHECK(threads[1].seen[1] == held(3ms));
    CHECK(threads[2].seen[0] == ran(3ms));
}

TEST_CASE("while a thread waits, one that held the GIL at one sample held it while it ran") {
    using enum run::gil_question;
    const segment off{2ms, thread_state::waiting_core, gil_state::not_held, 0};
    std::vector threads{asks(ran(8ms), off, before_giving), shows(waited(8ms), held(2ms))};
    run::attribute_gil(threads);
    CHECK(threads[0].seen[0] == held(8ms));
    threads = {asks(off, ran(8ms), after_taking), shows(held(2ms), waited(8ms))};
    run::attribute_gil(threads);
    CHECK(threads[0].seen[1] == held(8ms));
    threads = {asks(waited(6ms), ran(4ms), after_waiting), shows(waited(7ms), held(3ms)),
               shows(held(3ms), waited(7ms))};
    run::attribute_gil(threads);
    CHECK(threads[0].seen[0] == waited(3ms));
    CHECK(threads[0].seen[1] == held(4ms));
    CHECK(threads[0].seen[3] == segment{3ms, thread_state::waiting_core, gil_state::not_held, 0});
}

TEST_CASE("while a thread waits and no other can have held the GIL, one that seemed to run without it held it") {
    const auto seemed = [](nanoseconds length) {
        const segment off{10ms - length, thread_state::waiting_core, gil_state::not_held, 0};
        return asks(off, ran_without(length), run::gil_question::without);
    };
    const auto waits = shows(waited(9ms), held(1ms));
    std::vector threads{seemed(9ms), waits};
    run::attribute_gil(threads);
    CHECK(threads[0].seen[1] == held(9ms));
    CHECK(threads[0].seen[0].length + threads[0].seen[3].length == 1ms);
    for (auto other : {shows({}, held(10ms)), shows({}, {10ms, thread_state::blocked, gil_state::not_held, 0}),
                       shows({9ms, thread_state::waiting_core, gil_state::held, 0}, held(1ms))}) {
        std::vector no_deduction{seemed(9ms), other};
        run::attribute_gil(no_deduction);
        CHECK(no_deduction[0].seen[1] == ran_without(9ms));
    }
    threads = {seemed(9ms), waits};
    threads[0].handovers = threads[1].handovers = 0;
    run::attribute_gil(threads);
    CHECK(threads[0].seen[1] == ran_without(9ms));
    // Where it does not fit, what others did is told as if it had not been there.
    threads = {seemed(9ms), waiting_at_both(3ms), waits};
    run::attribute_gil(threads);
    CHECK(threads[0].seen[1] == ran_without(9ms));
    CHECK(threads[1].seen[1] == held(3ms));
}

TEST_CASE("where no thread waits for the GIL it stays unknown") {
    using enum run::gil_question;
    const segment off{2ms, thread_state::waiting_core, gil_state::not_held, 0};
    const segment sleeps{10ms, thread_state::blocked, gil_state::not_held, 0};
    std::vector threads{asks(ran(8ms), off, before_giving), shows({}, sleeps)};
    run::attribute_gil(threads);
    CHECK(threads[0].seen[0] == ran(8ms));
    std::vector alone{asks(waited(2ms), ran(8ms), after_waiting)};
    run::attribute_gil(alone);
    CHECK(alone[0].seen[1] == ran(8ms));
}

TEST_CASE("what the threads spend on asking is not time with the GIL, so no two hold it at once") {
    std::vector threads{waiting_at_both(5200us), waiting_at_both(5200us)};
    run::attribute_gil(threads);
    nanoseconds all_held{};
    for (const auto& each : threads) {
        const auto& seen = each.seen;
        CHECK(seen[1].length + seen[2].length == 5200us);
        CHECK(seen[2] == ran_without(seen[2].length));
        CHECK(seen[0].length + seen[1].length + seen[2].length + seen[3].length == 10ms);
        all_held += seen[1].length;
    }
    CHECK(all_held == 10ms);
    CHECK(threads[1].seen[0].length >= threads[0].seen[1].length - 200us);
}

TEST_CASE("a thread that held the GIL at both samples gave it away in between, if another thread held it") {
    const segment stood{5ms, thread_state::waiting_core, gil_state::held, 0};
    std::vector alone{shows(stood, held(5ms))};
    run::attribute_gil(alone);
    CHECK(alone[0].seen[0] == stood);
    std::vector threads{shows(stood, held(5ms)), waiting_at_both(4ms)};
    run::attribute_gil(threads);
    CHECK(threads[0].seen[0] == held(2500us));
    CHECK(threads[0].seen[1] == waited(5ms));
    CHECK(threads[0].seen[2] == held(2500us));
    CHECK(threads[1].seen[0] == waited(2500us));
    CHECK(threads[1].seen[1] == held(4ms));
    const segment stood_still{10ms, thread_state::waiting_core, gil_state::held, 0};
    std::vector handed{shows({}, stood_still), shows(held(8ms), waited(2ms))};
    run::attribute_gil(handed);
    CHECK(handed[0].seen[1] == waited(10ms));
}

TEST_CASE("a thread held the GIL only if it was handed over") {
    std::vector threads{waiting_at_both(3ms), shows(held(2ms), waited(8ms))};
    threads[0].handovers = threads[1].handovers = 0;
    run::attribute_gil(threads);
    CHECK(threads[0].seen[0] == ran(3ms));
    const segment stood{10ms, thread_state::waiting_core, gil_state::held, 0};
    std::vector kept{shows({}, stood), waiting_at_both(3ms)};
    kept[0].handovers = kept[1].handovers = 0;
    run::attribute_gil(kept);
    CHECK(kept[0].seen[1] == stood);
    CHECK(kept[1].seen[0] == ran(3ms));
}
