// SPDX-License-Identifier: BSD-3-Clause
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <xcores/run/exact_trace.hpp>

using namespace xcores;
using namespace std::chrono_literals;
using kind = run::thread_event::kind;
using place = run::exact_trace::place;
using relation = run::exact_trace::relation;
using model::gil_state;
using model::span;
using model::thread_state;

namespace {

/// A trace that begins at zero, on core 1, without the GIL.
struct script {
    std::vector<span> spans;
    run::exact_trace trace{[this](const span& each) {
        if (!spans.empty() && spans.back().end == each.start && spans.back().state == each.state &&
            spans.back().gil == each.gil && spans.back().core == each.core)
            spans.back().end = each.end;
        else
            spans.push_back(each);
    }};

    script() { trace.begin(0ns, place::on_core, 1, relation::without); }
    script& at(std::chrono::nanoseconds time, kind what, int core = 1) {
        trace.take({time, what, core});
        return *this;
    }
    const std::vector<span>& until(std::chrono::nanoseconds time) {
        trace.settle(time);
        return spans;
    }
};

} // namespace

TEST_CASE("a thread that takes the GIL runs with it, and its wait for it is known to the nanosecond") {
    script one;
    one.at(10ns, kind::wants_gil)
        .at(12ns, kind::off_core)
        .at(5'000'020ns, kind::on_core, 0)
        .at(5'000'025ns, kind::takes_gil);
    CHECK(one.until(5'001'000ns) ==
          std::vector<span>{{0ns, 12ns, thread_state::running, gil_state::not_held, 1},
                            {12ns, 5'000'020ns, thread_state::waiting_gil, gil_state::not_held, -1},
                            {5'000'020ns, 5'000'025ns, thread_state::running, gil_state::not_held, 0},
                            {5'000'025ns, 5'001'000ns, thread_state::running, gil_state::held, 0}});
    CHECK(one.trace.sums().longest_wait == 5'000'015ns);
    CHECK(one.trace.sums().acquisitions == 1);
    CHECK(one.trace.sums().switches == 1);
}

TEST_CASE("a thread that gives the GIL for a blocking call sleeps; it says when it wants it again") {
    script one;
    one.at(0ns, kind::takes_gil).at(100ns, kind::gives_gil).at(110ns, kind::off_core);
    one.at(900ns, kind::on_core).at(910ns, kind::wants_gil).at(915ns, kind::takes_gil);
    CHECK(one.until(1000ns) == std::vector<span>{{0ns, 100ns, thread_state::running, gil_state::held, 1},
                                                 {100ns, 110ns, thread_state::running, gil_state::not_held, 1},
                                                 {110ns, 900ns, thread_state::blocked, gil_state::not_held, -1},
                                                 {900ns, 915ns, thread_state::running, gil_state::not_held, 1},
                                                 {915ns, 1000ns, thread_state::running, gil_state::held, 1}});
    CHECK(one.trace.sums().longest_wait == 5ns);
}

TEST_CASE("a thread that is asked for the GIL gives it, wants it back, and waits") {
    script one;
    one.at(0ns, kind::takes_gil)
        .at(100ns, kind::gives_gil)
        .at(101ns, kind::wants_gil)
        .at(110ns, kind::off_core)
        .at(900ns, kind::on_core)
        .at(901ns, kind::rests) // another has had it
        .at(902ns, kind::wants_gil)
        .at(905ns, kind::takes_gil);
    CHECK(one.until(1000ns) == std::vector<span>{{0ns, 100ns, thread_state::running, gil_state::held, 1},
                                                 {100ns, 110ns, thread_state::running, gil_state::not_held, 1},
                                                 {110ns, 900ns, thread_state::waiting_gil, gil_state::not_held, -1},
                                                 {900ns, 905ns, thread_state::running, gil_state::not_held, 1},
                                                 {905ns, 1000ns, thread_state::running, gil_state::held, 1}});
    CHECK(one.trace.sums().longest_wait == 804ns);
}

TEST_CASE("a thread that is asked for the GIL on its way to a blocking call does not wait for it there") {
    script one;
    one.at(0ns, kind::takes_gil)
        .at(100ns, kind::gives_gil)
        .at(101ns, kind::wants_gil)
        .at(110ns, kind::rests)
        .at(120ns, kind::off_core)
        .at(900'000ns, kind::on_core)
        .at(900'010ns, kind::wants_gil)
        .at(900'020ns, kind::takes_gil);
    const auto& spans = one.until(1'000'000ns);
    REQUIRE(spans.size() == 5);
    CHECK(spans[2] == span{120ns, 900'000ns, thread_state::blocked, gil_state::not_held, -1});
    CHECK(one.trace.sums().longest_wait == 10ns);
}

TEST_CASE("a thread that is runnable when it is found has a core, or waits for one: its next event tells") {
    const auto first_before = [](kind next) {
        script one;
        one.trace.begin(0ns, place::runnable, 1, relation::without);
        return one.at(50ns, next).until(60ns).front().state;
    };
    CHECK(first_before(kind::on_core) == thread_state::waiting_core);
    CHECK(first_before(kind::off_core) == thread_state::running);
    CHECK(first_before(kind::preempted) == thread_state::running);
    CHECK(first_before(kind::wants_gil) == thread_state::running);
    script one;
    one.trace.begin(0ns, place::runnable, 1, relation::without);
    CHECK(one.trace.is_runnable());
    one.trace.decide_place(false);
    CHECK(one.until(50ns).front().state == thread_state::waiting_core);
}

TEST_CASE("a preempted thread waits for a core and keeps the GIL") {
    script one;
    one.at(0ns, kind::takes_gil).at(50ns, kind::preempted).at(80ns, kind::on_core, 0);
    CHECK(one.until(100ns) == std::vector<span>{{0ns, 50ns, thread_state::running, gil_state::held, 1},
                                                {50ns, 80ns, thread_state::waiting_core, gil_state::held, 1},
                                                {80ns, 100ns, thread_state::running, gil_state::held, 0}});
    CHECK(one.trace.sums().preemptions == 1);
    CHECK(one.trace.last_held() == 100ns);
}

TEST_CASE("where switches were lost the place is unknown, and the GIL is not") {
    script one;
    one.at(0ns, kind::takes_gil).at(40ns, kind::gives_gil).at(50ns, kind::lost).at(60ns, kind::off_core);
    CHECK(one.until(90ns) == std::vector<span>{{0ns, 40ns, thread_state::running, gil_state::held, 1},
                                               {40ns, 50ns, thread_state::unknown, gil_state::not_held, -1},
                                               {50ns, 60ns, thread_state::running, gil_state::not_held, 1},
                                               {60ns, 90ns, thread_state::blocked, gil_state::not_held, -1}});
}

TEST_CASE("what is forgotten of the GIL is unknown until its next event; places go on") {
    script one;
    one.at(0ns, kind::takes_gil);
    one.trace.forget_gil(100ns);
    one.at(150ns, kind::preempted).at(200ns, kind::on_core).at(250ns, kind::gives_gil).at(260ns, kind::off_core);
    CHECK(one.until(300ns) == std::vector<span>{{0ns, 100ns, thread_state::running, gil_state::held, 1},
                                                {100ns, 150ns, thread_state::running, gil_state::unknown, 1},
                                                {150ns, 200ns, thread_state::waiting_core, gil_state::unknown, 1},
                                                {200ns, 250ns, thread_state::running, gil_state::unknown, 1},
                                                {250ns, 260ns, thread_state::running, gil_state::not_held, 1},
                                                {260ns, 300ns, thread_state::blocked, gil_state::not_held, -1}});
}

TEST_CASE("an event that is older than what has been settled counts from there on") {
    script one;
    one.trace.settle(100ns);
    one.at(90ns, kind::wants_gil).at(95ns, kind::takes_gil);
    CHECK(one.until(200ns) == std::vector<span>{{0ns, 100ns, thread_state::running, gil_state::not_held, 1},
                                                {100ns, 200ns, thread_state::running, gil_state::held, 1}});
    CHECK(one.trace.sums().longest_wait == 5ns);
}

TEST_CASE("what a context switch takes belongs to the thread that gets the core") {
    script one;
    one.trace.set_switch_cost(20ns);
    one.at(50ns, kind::off_core).at(100ns, kind::on_core, 0).at(110ns, kind::off_core).at(115ns, kind::on_core);
    CHECK(one.until(200ns) == std::vector<span>{{0ns, 50ns, thread_state::running, gil_state::not_held, 1},
                                                {50ns, 80ns, thread_state::blocked, gil_state::not_held, -1},
                                                {80ns, 110ns, thread_state::running, gil_state::not_held, 0},
                                                {110ns, 200ns, thread_state::running, gil_state::not_held, 1}});
    CHECK(one.trace.on_core() == 145ns); // as recorded
}

TEST_CASE("where leaving a core is recorded later than getting it, a thread gets its core so much later") {
    script one;
    one.trace.set_switch_cost(-5ns);
    one.at(50ns, kind::preempted).at(100ns, kind::on_core, 0);
    CHECK(one.until(200ns) == std::vector<span>{{0ns, 50ns, thread_state::running, gil_state::not_held, 1},
                                                {50ns, 105ns, thread_state::waiting_core, gil_state::not_held, 1},
                                                {105ns, 200ns, thread_state::running, gil_state::not_held, 0}});
    CHECK(one.trace.on_core() == 150ns); // as recorded
}

TEST_CASE("what a thread waited for a core, beyond its preemptions, is put at the ends of its longest sleeps") {
    script one;
    one.at(100ns, kind::preempted).at(150ns, kind::on_core);                              // 50 ns, which are known
    one.at(200ns, kind::off_core).at(400ns, kind::on_core, 0);                            // 110 of these 200 ns,
    one.at(500ns, kind::wants_gil).at(500ns, kind::off_core, 0).at(520ns, kind::on_core); // none of these 20,
    one.at(600ns, kind::off_core).at(700ns, kind::on_core, 0);                            // and 10 of these 100
    one.trace.settle(800ns, 170ns);
    CHECK(one.spans == std::vector<span>{{0ns, 100ns, thread_state::running, gil_state::not_held, 1},
                                         {100ns, 150ns, thread_state::waiting_core, gil_state::not_held, 1},
                                         {150ns, 200ns, thread_state::running, gil_state::not_held, 1},
                                         {200ns, 290ns, thread_state::blocked, gil_state::not_held, -1},
                                         {290ns, 400ns, thread_state::waiting_core, gil_state::not_held, 1},
                                         {400ns, 500ns, thread_state::running, gil_state::not_held, 0},
                                         {500ns, 520ns, thread_state::waiting_gil, gil_state::not_held, -1},
                                         {520ns, 600ns, thread_state::running, gil_state::not_held, 1},
                                         {600ns, 690ns, thread_state::waiting_gil, gil_state::not_held, -1},
                                         {690ns, 700ns, thread_state::waiting_core, gil_state::not_held, 1},
                                         {700ns, 800ns, thread_state::running, gil_state::not_held, 0}});
}

TEST_CASE("after its end a thread has no spans") {
    script one;
    one.at(100ns, kind::ended);
    one.trace.settle(500ns);
    CHECK(one.until(900ns) == std::vector<span>{{0ns, 100ns, thread_state::running, gil_state::not_held, 1}});
}

TEST_CASE("a wait for a core is put into no more than the sleep before it, and not into later ones") {
    script one;
    one.at(100ns, kind::off_core).at(110ns, kind::on_core);
    one.trace.settle(200ns, 40ns);
    one.at(210ns, kind::off_core).at(300ns, kind::on_core);
    one.trace.settle(400ns, 50ns);
    CHECK(one.spans == std::vector<span>{{0ns, 100ns, thread_state::running, gil_state::not_held, 1},
                                         {100ns, 110ns, thread_state::waiting_core, gil_state::not_held, 1},
                                         {110ns, 210ns, thread_state::running, gil_state::not_held, 1},
                                         {210ns, 290ns, thread_state::blocked, gil_state::not_held, -1},
                                         {290ns, 300ns, thread_state::waiting_core, gil_state::not_held, 1},
                                         {300ns, 400ns, thread_state::running, gil_state::not_held, 1}});
}

TEST_CASE("after its end a trace can begin again") {
    script one;
    one.at(0ns, kind::takes_gil).until(100ns);
    one.trace.begin(500ns, place::asleep, 0, relation::without);
    CHECK(one.until(600ns).back() == span{500ns, 600ns, thread_state::blocked, gil_state::not_held, -1});
}

TEST_CASE("a long wait with many short awakenings is one wait") {
    script one;
    one.at(0ns, kind::takes_gil).at(10ns, kind::gives_gil).at(10ns, kind::wants_gil);
    auto time = 20ns;
    for (int i = 0; i < 25; ++i, time += 20ns)
        one.at(time, kind::off_core).at(time + 10ns, kind::on_core);
    one.at(time, kind::takes_gil);
    const auto& spans = one.until(time + 10ns);
    std::chrono::nanoseconds waited{};
    for (const auto& each : spans)
        waited += each.state == thread_state::waiting_gil ? each.end - each.start : 0ns;
    CHECK(waited == 250ns);
    CHECK(one.trace.sums().longest_wait == time - 10ns);
}
