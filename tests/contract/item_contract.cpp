// SPDX-License-Identifier: BSD-3-Clause
// What a mapped cell promises, for every executor, the fake one included.
#include <algorithm>
#include <map>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators_range.hpp>

#include "../support/executor_under_test.hpp"

using namespace xcores;
using namespace xcores::test;
using enum model::outcome_kind;
using run::item_queue;

namespace {

executor_under_test any_executor() {
    const auto name = GENERATE(from_range(executor_names()));
    CAPTURE(name);
    return make_executor(name);
}

std::vector<std::shared_ptr<const run::payload>> items_of(const std::vector<std::string>& programs) {
    std::vector<std::shared_ptr<const run::payload>> items;
    std::ranges::transform(programs, std::back_inserter(items), program);
    return items;
}

std::shared_ptr<item_queue> queue_of(const std::vector<std::string>& programs, int workers,
                                     item_queue::on_failure what = item_queue::on_failure::stop) {
    auto queue = std::make_shared<item_queue>(workers, std::ssize(programs), what);
    queue->add(items_of(programs));
    queue->end();
    return queue;
}

/// By their numbers; none comes twice.
std::map<std::int64_t, run::item_end> ended_in(item_queue& queue) {
    std::map<std::int64_t, run::item_end> all;
    for (auto& one : queue.take_ended())
        CHECK(all.emplace(one.index, std::move(one)).second);
    return all;
}

} // namespace

TEST_CASE("every item is done once, and its result comes back under its number") {
    const auto executor = any_executor();
    constexpr std::int64_t number = 500;
    const auto queue = queue_of(std::vector<std::string>(number, "answer"), 3);
    const auto session = start_on(executor, 3, queue);
    finish(*session);
    const auto ended = ended_in(*queue);
    REQUIRE(ended.size() == number);
    for (const auto& [index, one] : ended) {
        CHECK(one.how.how.kind == returned);
        CHECK(one.how.output.data == "item " + std::to_string(index));
    }
    const auto report = session->report();
    CHECK(report.items == model::items_record{number, 0, number});
    std::int64_t sum = 0;
    for (const auto& worker : report.workers) {
        CHECK(worker.how.kind == returned);
        sum += worker.items.value();
    }
    CHECK(sum == number);
}

TEST_CASE("large parts of an item go there and back beside it") {
    const auto executor = any_executor();
    const auto bytes = std::make_shared<const std::string>(3'000'000, 'x');
    run::payload large{"answer", {{reinterpret_cast<const std::byte*>(bytes->data()), bytes->size(), bytes}}};
    const auto queue = std::make_shared<item_queue>(1, std::nullopt, item_queue::on_failure::stop);
    auto items = items_of({"answer"});
    items.push_back(std::make_shared<const run::payload>(std::move(large)));
    items.push_back(program("answer"));
    queue->add(std::move(items));
    queue->end();
    finish(*start_on(executor, 1, queue));
    auto ended = ended_in(*queue);
    REQUIRE(ended.size() == 3);
    REQUIRE(ended[1].how.output.buffers.size() == 1);
    CHECK(ended[1].how.output.buffers[0].size == bytes->size());
    CHECK(ended[2].how.output.data == "item 2");
}

TEST_CASE("items may come while the workers run, and only as many are wanted as keep them busy") {
    const auto executor = any_executor();
    constexpr std::int64_t least = 3000;
    const auto queue = std::make_shared<item_queue>(2, std::nullopt, item_queue::on_failure::stop);
    const auto session = start_on(executor, 2, queue);
    std::int64_t added = 0;
    while (queue->record().done < least) {
        const auto wanted = queue->wanted();
        CHECK(added + wanted - queue->record().done <= 20'000);
        queue->add(items_of(std::vector<std::string>(static_cast<std::size_t>(wanted), "answer")));
        added += wanted;
        session->wait(std::chrono::seconds{1});
    }
    queue->end();
    finish(*session);
    CHECK(std::ssize(ended_in(*queue)) == added);
    CHECK(session->report().items == model::items_record{added, 0, added});
}

TEST_CASE("an item that fails stops the others; what has finished is kept and what is queued is not begun") {
    const auto executor = any_executor();
    const auto queue = std::make_shared<item_queue>(2, 6, item_queue::on_failure::stop);
    queue->add(items_of({"answer"}));
    const auto session = start_on(executor, 2, queue);
    wait_until(*session, [&](const auto&) { return queue->record().done == 1; });
    queue->add(items_of({"raise", "spin", "spin", "spin", "spin"}));
    queue->end();
    finish(*session);
    const auto ended = ended_in(*queue);
    CHECK(ended.at(0).how.how.kind == returned);
    CHECK(ended.at(1).how.how.kind == raised);
    CHECK(ended.at(1).how.how.type == "ValueError");
    CHECK(ended.at(1).item->data == "raise");
    CHECK(ended.size() <= 3);
    for (const auto& [index, one] : ended)
        if (index > 1)
            CHECK(one.how.how.message == "stopped because an item failed");
    CHECK(session->report().items->failed == 1);
}

TEST_CASE("where failures do not stop the others, all items end") {
    const auto executor = any_executor();
    const auto queue = queue_of({"raise", "answer", "raise", "answer"}, 2, item_queue::on_failure::go_on);
    finish(*start_on(executor, 2, queue));
    auto ended = ended_in(*queue);
    REQUIRE(ended.size() == 4);
    for (const auto& [index, one] : ended)
        CHECK(one.how.how.kind == (index % 2 == 0 ? raised : returned));
    const auto record = queue->record();
    CHECK(record == model::items_record{4, 2, 4, record.first_failure});
    CHECK(ended.at(record.first_failure.value().index).how.how.kind == raised);
}

TEST_CASE("an interrupt keeps the items that have finished and tells of those under way") {
    const auto executor = any_executor();
    const auto queue = queue_of({"answer", "spin", "spin", "answer"}, 2);
    const auto session = start_on(executor, 2, queue);
    std::map<std::int64_t, run::item_end> ended;
    wait_until(*session, [&](const auto& worker) { return runs(worker) && queue->record().done > 0; });
    session->stop(run::stop_reason::interrupt);
    finish(*session);
    ended = ended_in(*queue);
    CHECK(ended.at(0).how.how.kind == returned);
    for (const auto& [index, one] : ended)
        if (index > 0 && index < 3)
            CHECK(one.how.how.kind == interrupted);
    CHECK(session->report().items->failed == 0);
    const auto next = queue_of({"answer"}, 2);
    finish(*start_on(executor, 2, next));
    CHECK(next->record().done == 1);
}

TEST_CASE("workers that wait for items end when they are asked to") {
    const auto executor = any_executor();
    const auto queue = std::make_shared<item_queue>(2, std::nullopt, item_queue::on_failure::stop);
    const auto session = start_on(executor, 2, queue);
    wait_until(*session, runs);
    session->stop(run::stop_reason::interrupt);
    finish(*session);
    for (const auto& worker : session->report().workers)
        CHECK_FALSE(worker.how.abandoned);
}

TEST_CASE("a time limit reaches the item under way") {
    const auto executor = any_executor();
    run::plan limited;
    limited.timeout = std::chrono::milliseconds{300};
    const auto queue = queue_of({"answer", "spin"}, 1);
    finish(*start_on(executor, 1, queue, limited));
    const auto ended = ended_in(*queue);
    CHECK(ended.at(0).how.how.kind == returned);
    CHECK(ended.at(1).how.how.kind == timed_out);
}

TEST_CASE("an item at which a worker has to be given up or killed is told of, and only that one") {
    const auto executor = any_executor();
    const auto queue = queue_of({"stubborn", "answer"}, 1);
    const auto session = start_on(executor, 1, queue);
    wait_until(*session, runs);
    session->stop(run::stop_reason::interrupt);
    finish(*session);
    const auto ended = ended_in(*queue);
    for (const auto& [index, one] : ended)
        CHECK(one.how.how.kind == interrupted);
    CHECK(ended.size() <= 1);
    CHECK(queue->wanted() == 0);
}
