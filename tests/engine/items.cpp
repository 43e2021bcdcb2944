// SPDX-License-Identifier: BSD-3-Clause
// Items that end the process they run in.
#include <catch2/catch_test_macros.hpp>

#include <map>

#include "../support/executor_under_test.hpp"

using namespace xcores;
using namespace xcores::test;
using enum model::outcome_kind;
using run::item_queue;

namespace {

struct outcome_of_items {
    std::map<std::int64_t, model::outcome> items;
    model::report report;
};

outcome_of_items run_items(const std::vector<std::string>& programs, int workers, item_queue::on_failure what) {
    const auto queue = std::make_shared<item_queue>(workers, std::ssize(programs), what);
    std::vector<std::shared_ptr<const run::payload>> items;
    for (const auto& name : programs)
        items.push_back(program(name));
    queue->add(std::move(items));
    queue->end();
    const auto session = start_on(make_executor("procs"), workers, queue);
    finish(*session);
    outcome_of_items all{{}, session->report()};
    for (const auto& one : queue->take_ended())
        all.items[one.index] = one.how.how;
    return all;
}

} // namespace

TEST_CASE("[procs] an item that ends its process loses nothing but itself, and a new process goes on") {
    std::vector<std::string> programs(300, "answer");
    programs[100] = "hard exit";
    programs[200] = "segfault";
    const auto ran = run_items(programs, 1, item_queue::on_failure::go_on);
    REQUIRE(ran.items.size() == programs.size());
    for (const auto& [index, how] : ran.items)
        CHECK(how.kind == (index == 100 ? exited : index == 200 ? crashed : returned));
    CHECK(ran.items.at(100).code == 3);
    CHECK(ran.report.workers[0].how.kind == returned);
    CHECK(ran.report.workers[0].items == 300);
    const auto items = ran.report.items.value();
    CHECK(items == model::items_record{300, 2, 300, items.first_failure});
    CHECK(items.first_failure.value().index == 100);
}

TEST_CASE("[procs] where a failure is to stop the others, so does the end of a process") {
    const auto ran = run_items({"answer", "hard exit", "spin", "spin", "spin"}, 2, item_queue::on_failure::stop);
    CHECK(ran.items.at(0).kind == returned);
    CHECK(ran.items.at(1).kind == exited);
    CHECK(ran.items.size() <= 3);
}
