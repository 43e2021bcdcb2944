// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>

#include <xcores/model/overlap.hpp>
#include <xcores/run/session.hpp>

namespace xcores::run {

model::report session::report(detail how_much) const {
    constexpr std::size_t recent_spans = 200;
    model::report result;
    const std::lock_guard lock(mutex_);
    result.kind = plan_.kind;
    result.environment = environment_;
    result.wall = finished_at_;
    result.elapsed = finished_at_.value_or(since_start());
    if (plan_.items)
        result.items = plan_.items->record();
    const auto share = share_of(growth_.value_or(0));
    for (const auto& one : slots_) {
        auto record = one.record;
        const auto& body = one.by->body();
        record.cpu = one.used.cpu;
        record.queue_wait = one.used.queue_wait;
        record.voluntary_switches = one.used.voluntary_switches;
        record.involuntary_switches = one.used.involuntary_switches;
        record.minor_faults = one.used.minor_faults;
        record.major_faults = one.used.major_faults;
        record.migrations = one.used.migrations;
        record.memory_bytes = one.used.memory_bytes;
        if (const auto bytes = one.memory.value_or(0) + share; one.memory && bytes > 0)
            record.memory_bytes = bytes;
        record.proportional_bytes = one.used.proportional_bytes;
        record.unique_bytes = one.used.unique_bytes;
        record.spans = one.spans;
        if (record.how.kind == model::outcome_kind::pending)
            record.open_line = one.printing.visible();
        if (plan_.items)
            record.items = plan_.items->done_by(record.index);
        if (one.now == phase::executing && !record.run && record.transfer_in)
            record.run = model::interval{record.transfer_in->end, since_start()};
        const auto* log = one.log ? one.log.get() : one.can_be_reached() ? body.samples() : nullptr;
        if (one.now < phase::leaving && log && plan_.sample_period > nanoseconds{0})
            record.spans = log->spans(start_, how_much == detail::recent ? recent_spans : sample_log::capacity);
        result.workers.push_back(std::move(record));
    }
    fill_gils(result);
    fill_sampling(result);
    model::settle_cores(result);
    return result;
}

void session::fill_gils(model::report& result) const {
    struct counted {
        std::uintptr_t identity;
        std::optional<std::uint64_t> before;
        std::optional<std::uint64_t> after;
    };
    std::vector<counted> seen;
    for (std::size_t i = 0; i < slots_.size(); ++i) {
        const auto& [identity, name] = slots_[i].gil;
        if (identity == 0)
            continue;
        auto found = std::ranges::find(seen, identity, &counted::identity);
        if (found == seen.end()) {
            result.gils.push_back({name, {}, std::nullopt});
            found = seen.insert(seen.end(), {identity, std::nullopt, std::nullopt});
        }
        const auto& used = slots_[i].used;
        if (used.handovers_before)
            found->before = std::min(found->before.value_or(*used.handovers_before), *used.handovers_before);
        if (used.handovers_after)
            found->after = std::max(found->after.value_or(*used.handovers_after), *used.handovers_after);
        auto& gil = result.gils[static_cast<std::size_t>(found - seen.begin())];
        gil.workers.push_back(static_cast<int>(i));
        if (found->before && found->after)
            gil.handovers = static_cast<std::int64_t>(*found->after - *found->before);
    }
}

void session::fill_sampling(model::report& result) const {
    if (!sampler_)
        return;
    auto total = sampler_->record();
    bool own = false;
    for (const auto& one : slots_) {
        const auto& theirs = one.used.sampling;
        if (!theirs)
            continue;
        if (!std::exchange(own, true))
            total = {.period = plan_.sample_period};
        total.ticks = std::max(total.ticks, theirs->ticks);
        total.widest_period = std::max(total.widest_period, theirs->widest_period);
        total.missed += theirs->missed;
        total.cost += theirs->cost;
        total.latest = std::max(total.latest, theirs->latest);
        model::add(total.recorded, theirs->recorded);
    }
    result.sampling = total;
}

} // namespace xcores::run
