// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include <xcores/run/worker_body.hpp>

namespace xcores::run {

/// How many items a worker takes at a time: few enough to be fair to the others, so many that asking costs little.
class chunk_size {
public:
    /// Of the next chunk, when the last one had so many items and took so long.
    std::size_t after(std::size_t items, nanoseconds taken) noexcept;
    std::size_t now() const noexcept { return size_; }

private:
    std::size_t size_ = 1;
};

/// How one item ended. `item` is kept where nobody else can tell what it was.
struct item_end {
    std::int64_t index = 0;
    int worker = 0;
    reply how;
    std::shared_ptr<const payload> item;
};

/// The items of a mapped cell between the one who makes them and the workers, and their results on the way back.
///
/// Items are numbered in the order in which they are added. No more are wanted than keep the workers busy for a while:
/// they may come from something endless.
///
/// - Thread: any; add() and end() on one at a time.
/// - GIL: take() waits, so it is called without one; the others never wait for anybody who might need it.
/// - Lifetime: shared with the workers, who may come back late: after close() they get nothing and are not heard.
class item_queue {
public:
    enum class on_failure : std::uint8_t { stop, go_on };

    item_queue(int workers, std::optional<std::int64_t> total, on_failure);

    /// Called, on any thread, when more items are wanted. Before the first take().
    void when_hungry(std::function<void()>);

    // The one who makes the items
    std::int64_t wanted() const; ///< how many more; 0 after end() and close()
    void add(std::vector<std::shared_ptr<const payload>>);
    void end(); ///< there are no more

    // The workers
    /// The next items for `worker`, whose last ones are done. Waits for items that may still come. Nothing: it is over.
    std::optional<item_chunk> take(int worker);
    /// The same without waiting: nothing where take() would wait, an empty chunk where it is over.
    std::optional<item_chunk> try_take(int worker);
    /// The first item of `worker` that is not done has ended so. False: the others are to stop.
    bool finish(int worker, std::int64_t index, reply);
    /// `worker` is gone: the item that it was at has ended as `how` says, and others get the rest of what it had.
    enum class loss : std::uint8_t { none, item, stops }; ///< it was at no item; at one; and the others are to stop
    loss lose(int worker, const model::outcome& how);

    void close();
    bool has_more() const; ///< something is left for a worker, or may come

    // The results
    std::vector<item_end> take_ended(); ///< what has ended since the last call
    model::items_record record() const;
    std::int64_t done_by(int worker) const;

private:
    struct numbered {
        std::int64_t index;
        std::shared_ptr<const payload> content;
    };
    struct share {
        chunk_size size;
        nanoseconds since{}; ///< when the last chunk was taken; 0: it says nothing about the time its items take
        std::size_t taken = 0;
        std::deque<numbered> held; ///< taken and not done; the first is the one under way
        std::int64_t done = 0;
    };

    item_chunk next_for(share&);
    std::size_t fair_share() const;
    std::int64_t wanted_now() const;
    void tell_if_hungry(std::unique_lock<std::mutex>&);
    bool record_end(share&, int worker, reply);

    const std::optional<std::int64_t> total_;
    const on_failure on_failure_;
    std::function<void()> hungry_;

    mutable std::mutex mutex_; ///< guards what follows
    std::condition_variable changed_;
    std::deque<numbered> waiting_;
    std::vector<share> shares_;
    std::vector<item_end> ended_;
    std::int64_t added_ = 0;
    std::int64_t done_ = 0;
    std::int64_t failed_ = 0;
    std::optional<model::item_failure> first_failure_;
    bool complete_ = false;
    bool closed_ = false;
};

} // namespace xcores::run
