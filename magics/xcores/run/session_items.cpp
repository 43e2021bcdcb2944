// SPDX-License-Identifier: BSD-3-Clause
// What a session does for a mapped cell: hands items to the workers, and replaces those that an item has killed.
#include <algorithm>
#include <exception>
#include <iterator>

#include <xcores/run/session.hpp>

namespace xcores::run {

class session::feed final : public item_feed {
public:
    feed(std::weak_ptr<session> of, std::shared_ptr<item_queue> items, int index)
        : session_(std::move(of)), items_(std::move(items)), index_(index) {}

    std::optional<item_chunk> take() override { return counted(items_->take(index_)); }
    std::optional<item_chunk> try_take() override { return counted(items_->try_take(index_)); }
    bool done(std::int64_t item, reply how) override {
        const auto kept = session_.lock();
        if (kept)
            kept->note_end(index_, how);
        if (!items_->finish(index_, item, std::move(how)) && kept)
            kept->stop_others(stop_reason::failure, &kept->slots_[static_cast<std::size_t>(index_)]);
        return kept && !kept->stopping();
    }

private:
    std::optional<item_chunk> counted(std::optional<item_chunk> chunk) const {
        const auto kept = session_.lock();
        if (kept && chunk)
            kept->count_items(index_, *chunk);
        return chunk;
    }

    std::weak_ptr<session> session_;
    std::shared_ptr<item_queue> items_;
    int index_;
};

std::shared_ptr<item_feed> session::make_feed(int index) {
    return plan_.items ? std::make_shared<feed>(weak_from_this(), plan_.items, index) : nullptr;
}

/// An item has ended: why, if it was stopped, and what comes back of it.
void session::note_end(int index, reply& how) {
    const std::lock_guard lock(mutex_);
    auto& one = slots_[static_cast<std::size_t>(index)];
    explain(how.how);
    if (one.now != phase::ended) // abandoned meanwhile: nobody waits for this any more
        model::add(one.record.bytes_out, traffic_of(how.output, one.by->body()));
}

void session::count_items(int index, const item_chunk& chunk) {
    const std::lock_guard lock(mutex_);
    auto& one = slots_[static_cast<std::size_t>(index)];
    for (const auto& item : chunk.items)
        model::add(one.record.bytes_in, traffic_of(*item, one.by->body()));
}

bool session::stopping() const {
    const std::lock_guard lock(mutex_);
    return stopping_ != stop_reason::none;
}

void session::lose_item(const slot& one, const model::outcome& how) {
    if (plan_.items)
        plan_.items->lose(one.record.index, how);
}

/// A worker whose process has ended in the middle of an item: it loses that one, and a new process goes on.
bool session::replace(slot& one, int index, worker& by, const model::outcome& how) {
    {
        const std::lock_guard lock(mutex_);
        if (stopping_ != stop_reason::none) // it may have been killed on our behalf
            return false;
    }
    const auto lost = plan_.items->lose(index, how);
    if (lost == item_queue::loss::stops)
        stop_others(stop_reason::failure, &one);
    // Without an item to blame, the next process would end as well.
    return lost == item_queue::loss::item && may_reopen(one) && reopened(one, index, by);
}

bool session::may_reopen(slot& one) {
    const std::lock_guard lock(mutex_);
    if (stopping_ != stop_reason::none || one.now == phase::ended || !plan_.items->has_more())
        return false;
    if (const auto* log = one.by->body().samples(); log && plan_.sample_period > nanoseconds{0})
        std::ranges::move(log->spans(start_), std::back_inserter(one.spans));
    return one.reopening = true;
}

bool session::reopened(slot& one, int index, worker& by) {
    bool ready = false;
    try {
        by.body().close();
        by.body().open();
        prepare(index, by);
        ready = true;
    } catch (const std::exception&) { // then the worker stays as dead as it was
    }
    const std::lock_guard lock(mutex_);
    one.reopening = false;
    if (!ready)
        return false;
    identify(one, by.body());
    one.now = phase::executing;
    return stopping_ == stop_reason::none;
}

} // namespace xcores::run
