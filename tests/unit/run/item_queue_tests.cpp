// SPDX-License-Identifier: BSD-3-Clause
#include <catch2/catch_test_macros.hpp>

#include <xcores/run/item_queue.hpp>

using namespace std::chrono_literals;
using namespace xcores;
using enum model::outcome_kind;
using run::item_queue;

namespace {

std::vector<std::shared_ptr<const run::payload>> some(std::int64_t number) {
    return std::vector<std::shared_ptr<const run::payload>>(static_cast<std::size_t>(number),
                                                            std::make_shared<const run::payload>());
}

run::reply ended(model::outcome_kind kind) {
    run::reply answer;
    answer.how.kind = kind;
    return answer;
}

} // namespace

TEST_CASE("chunks grow while they take next to no time, and shrink when their items turn out long") {
    run::chunk_size size;
    CHECK(size.now() == 1);
    CHECK(size.after(1, 10us) > 1);
    const auto grown = size.after(size.now(), 10us);
    CHECK(size.after(grown, 400ms) < grown);
    CHECK(size.after(size.now(), 1h) == 1);
}

TEST_CASE("a chunk that was cut short does not make the next one larger") {
    run::chunk_size size;
    const auto grown = size.after(1, 10us);
    CHECK(size.after(grown - 1, 10us) == grown);
}

TEST_CASE("nobody takes what another worker could begin at once") {
    item_queue queue(4, 8, item_queue::on_failure::stop);
    queue.add(some(8));
    queue.end();
    for (int worker = 0; worker < 4; ++worker)
        CHECK(queue.take(worker)->items.size() == 1);
}

TEST_CASE("a worker that is gone has lost the item it was at; the others get the rest, in order") {
    item_queue queue(1, std::nullopt, item_queue::on_failure::go_on);
    queue.add(some(40));
    queue.end();
    std::int64_t next = 0;
    std::optional<run::item_chunk> chunk;
    do { // until a chunk has several items
        chunk = queue.take(0);
        REQUIRE(chunk);
        CHECK(chunk->first == next);
        if (chunk->items.size() > 2)
            break;
        for (std::size_t i = 0; i < chunk->items.size(); ++i)
            queue.finish(0, next++, ended(returned));
    } while (true);
    queue.finish(0, next, ended(returned));
    CHECK(queue.lose(0, {crashed, {}, {}, {}, {}, false}) == item_queue::loss::item);
    CHECK(queue.lose(0, {crashed, {}, {}, {}, {}, false}) == item_queue::loss::none);
    CHECK(queue.take(0)->first == next + 2);
    const auto all = queue.take_ended();
    CHECK(all.back().index == next + 1);
    CHECK(all.back().how.how.kind == crashed);
    CHECK(all.back().item);
}

TEST_CASE("a worker that comes back after it was given up is not heard") {
    item_queue queue(1, std::nullopt, item_queue::on_failure::stop);
    queue.add(some(1));
    queue.take(0);
    queue.lose(0, {interrupted, {}, {}, {}, {}, true});
    CHECK(queue.finish(0, 0, ended(raised)));
    CHECK(queue.take_ended().size() == 1);
    CHECK(queue.record().failed == 0);
}

TEST_CASE("no more items are wanted than keep the workers busy, and none after the end") {
    item_queue queue(2, std::nullopt, item_queue::on_failure::stop);
    bool hungry = false;
    queue.when_hungry([&] { hungry = true; });
    const auto wanted = queue.wanted();
    CHECK(wanted > 0);
    queue.add(some(wanted));
    CHECK(queue.wanted() == 0);
    while (!hungry)
        REQUIRE(queue.try_take(0));
    CHECK(queue.wanted() > 0);
    queue.end();
    CHECK(queue.wanted() == 0);
}

TEST_CASE("after the end, and after it was closed, there is nothing to take") {
    item_queue ended_one(1, std::nullopt, item_queue::on_failure::stop);
    CHECK_FALSE(ended_one.try_take(0));
    ended_one.end();
    CHECK(ended_one.try_take(0)->items.empty());
    CHECK_FALSE(ended_one.take(0));
    item_queue closed(1, std::nullopt, item_queue::on_failure::stop);
    closed.add(some(3));
    closed.close();
    CHECK_FALSE(closed.take(0));
    CHECK_FALSE(closed.has_more());
}
