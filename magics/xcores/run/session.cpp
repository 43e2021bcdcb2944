// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/run/session.hpp>

#include <algorithm>
#include <exception>

#include <xcores/os/clock.hpp>
#include <xcores/os/machine.hpp>

namespace xcores::run {
namespace {

constexpr nanoseconds output_pause = std::chrono::milliseconds{50};

model::interval relative(model::interval absolute, nanoseconds origin) {
    return {absolute.start - origin, absolute.end - origin};
}

} // namespace

session::session(plan what, std::shared_ptr<pool> workers, model::environment_record environment)
    : plan_(std::move(what)), pool_(std::move(workers)), environment_(std::move(environment)), start_(os::now()),
      gate_(static_cast<int>(plan_.inputs.size())), slots_(plan_.inputs.size()),
      unfinished_(static_cast<int>(plan_.inputs.size())) {}

std::shared_ptr<session> session::start(plan what, std::shared_ptr<pool> workers,
                                        model::environment_record environment) {
    const std::shared_ptr<session> made(new session(std::move(what), std::move(workers), std::move(environment)));
    auto& self = *made;
    if (self.plan_.sample_period > nanoseconds{0} && !self.slots_.empty())
        self.sampler_ = std::make_unique<sampler>(self.plan_.sample_period);
    auto taken = self.pool_->acquire(static_cast<int>(self.slots_.size()));
    for (std::size_t i = 0; i < taken.size(); ++i) {
        auto& slot = self.slots_[i];
        slot.by = taken[i];
        slot.cold = !taken[i]->opened;
        slot.record.index = static_cast<int>(i);
    }
    if (std::ranges::any_of(self.slots_, [](const slot& one) { return one.cold && one.by->body().shares_process(); }))
        self.memory_before_ = os::resident_bytes();
    for (std::size_t i = 0; i < taken.size(); ++i)
        taken[i]->give([made, i](worker& by) { made->work(static_cast<int>(i), by); });
    return made;
}

nanoseconds session::since_start() const {
    return os::now() - start_;
}

void session::mark(slot& one, phase next) {
    const std::lock_guard lock(mutex_);
    if (one.now != phase::ended)
        one.now = next;
}

void session::work(int index, worker& by) noexcept {
    auto& one = slots_[static_cast<std::size_t>(index)];
    reply answer;
    bool ready = false;
    try {
        ready = receive(one, index, by);
    } catch (const std::exception& error) {
        answer.how = {model::outcome_kind::failed, {}, error.what(), {}, std::nullopt, false};
    }
    mark(one, phase::ready);
    arrive();
    bool stopping = false;
    {
        const std::lock_guard lock(mutex_);
        stopping = stopping_ != stop_reason::none;
        if (ready && stopping)
            answer.how = stopped("before it began");
        else if (ready)
            one.now = one.now == phase::ended ? phase::ended : phase::executing;
    }
    if (ready && !stopping) {
        auto used = by.body().execute();
        const auto run_end = since_start();
        mark(one, phase::sending);
        answer = by.body().collect();
        const auto sent = since_start();
        const std::lock_guard lock(mutex_);
        if (one.now != phase::ended) {
            one.used = std::move(used);
            if (one.used.run)
                one.record.run = relative(*one.used.run, start_);
            one.record.transfer_out = model::interval{one.record.run ? one.record.run->end : run_end, sent};
        }
    }
    end(one, index, by, std::move(answer));
}

// Start-up and transfer in, each timed.
bool session::receive(slot& one, int index, worker& by) {
    auto& body = by.body();
    if (!by.opened) {
        mark(one, phase::opening);
        const auto begin = since_start();
        body.open();
        by.opened = true;
        const std::lock_guard lock(mutex_);
        if (one.now == phase::ended)
            return false;
        one.record.startup = model::interval{begin, since_start()};
    }
    const auto begin = since_start();
    {
        const std::lock_guard lock(mutex_);
        if (one.now == phase::ended)
            return false;
        one.now = phase::receiving;
        one.record.process_id = body.process_id();
        one.record.native_thread_id = body.native_thread_id();
        one.gil = body.gil();
        if (auto* what = body.thread_probe(); what && sampler_) {
            one.log = std::make_unique<sample_log>();
            sampler_->add(*what, *one.log);
            one.registered = true;
        }
    }
    const std::weak_ptr<session> self = weak_from_this();
    const auto sink = [self, index](stream from, std::string_view text) {
        const auto kept = self.lock();
        if (!kept)
            return;
        const std::lock_guard lock(kept->mutex_);
        kept->output_.push_back({index, from, std::string(text)});
        if (kept->output_.size() == 1)
            kept->event_.notify();
    };
    const task what{index, static_cast<int>(slots_.size()), plan_.inputs[static_cast<std::size_t>(index)],
                    plan_.sample_period};
    body.prepare(what, sink);
    const std::lock_guard lock(mutex_);
    one.record.transfer_in = model::interval{begin, since_start()};
    return true;
}

void session::arrive() {
    if (gate_.arrive()) {
        attribute_memory();
        gate_.open();
    }
    gate_.wait();
}

// Workers of our own process open side by side, so that only their common growth can be measured: each gets its share.
void session::attribute_memory() {
    const auto after = memory_before_ ? os::resident_bytes() : std::nullopt;
    if (!after)
        return;
    const std::lock_guard lock(mutex_);
    const auto opened = std::ranges::count_if(slots_, [](const slot& one) { return one.cold && one.record.startup; });
    for (auto& one : slots_)
        if (one.cold && one.record.startup)
            one.by->memory_bytes = std::max<std::int64_t>(0, *after - *memory_before_) / opened;
}

model::outcome session::stopped(std::string message) const {
    const bool timeout = stopping_ == stop_reason::timeout;
    return {timeout ? model::outcome_kind::timed_out : model::outcome_kind::interrupted,
            {},
            std::move(message),
            {},
            {},
            false};
}

void session::end(slot& one, int, worker& by, reply answer) {
    {
        const std::lock_guard lock(mutex_);
        if (one.now == phase::ended) // abandoned meanwhile: nobody waits for this any more
            return;
        close(one);
        one.now = phase::leaving; // from here on the worker may serve others: no more interrupts on our behalf
    }
    // Before anybody can learn that the run is over, so that the next run finds its workers.
    pool_->give_back(by.shared_from_this());
    const std::lock_guard lock(mutex_);
    using enum model::outcome_kind;
    const bool by_force = answer.how.kind == crashed && force_at_ && os::now() >= *force_at_;
    if (stopping_ != stop_reason::none && by_force)
        answer.how = stopped("it did not stop when asked and was killed");
    else if (stopping_ == stop_reason::timeout && answer.how.kind == interrupted)
        answer.how.kind = timed_out;
    one.record.how = std::move(answer.how);
    one.record.result = std::move(answer.summary);
    one.output = std::make_shared<const payload>(std::move(answer.output));
    one.now = phase::ended;
    if (--unfinished_ == 0) {
        finished_at_ = since_start();
        event_.notify();
    }
}

// Ends the sampling of a worker and keeps what was seen.
void session::close(slot& one) noexcept {
    if (one.registered)
        sampler_->remove(*one.by->body().thread_probe());
    one.registered = false;
    if (one.log)
        one.spans = one.log->spans(start_);
    else if (const auto* log = one.by->body().samples(); log && plan_.sample_period > nanoseconds{0})
        one.spans = log->spans(start_);
    one.log.reset();
}

void session::stop(stop_reason reason) {
    const std::lock_guard lock(mutex_);
    if (stopping_ != stop_reason::none || unfinished_ == 0)
        return;
    stopping_ = reason;
    force_at_ = os::now() + plan_.grace;
    gate_.open();
    for (const auto& one : slots_)
        if (one.now < phase::leaving)
            one.by->body().interrupt();
}

void session::abandon(slot& one) {
    close(one);
    one.by->abandon();
    if (!one.record.run && one.record.transfer_in)
        one.record.run = model::interval{one.record.transfer_in->end, since_start()};
    one.record.how = stopped("it did not stop when asked");
    one.record.how.abandoned = true;
    one.now = phase::ended;
    if (--unfinished_ == 0)
        finished_at_ = since_start();
}

void session::enforce_limits() {
    const auto time = os::now();
    if (plan_.timeout && time >= start_ + *plan_.timeout)
        stop(stop_reason::timeout);
    const std::lock_guard lock(mutex_);
    if (!force_at_ || time < *force_at_)
        return;
    for (auto& one : slots_)
        if (one.now < phase::leaving && !one.by->body().terminate())
            abandon(one);
}

session::wake session::wait(nanoseconds time) {
    const auto until = os::now() + time;
    for (;;) {
        enforce_limits();
        auto next = until;
        {
            const std::lock_guard lock(mutex_);
            if (unfinished_ == 0)
                return wake::finished;
            const auto current = os::now();
            if (!output_.empty() && current >= output_told_at_ + output_pause) {
                output_told_at_ = current;
                return wake::output;
            }
            if (current >= until)
                return wake::timed_out;
            if (!output_.empty())
                next = std::min(next, output_told_at_ + output_pause);
            if (force_at_) // once reached it stays: look again soon until the killed ones are gone
                next = std::min(next, std::max(*force_at_, current + std::chrono::milliseconds{10}));
            else if (plan_.timeout)
                next = std::min(next, start_ + *plan_.timeout);
        }
        if (event_.wait(next - os::now()) == os::event::wake::signalled)
            return wake::signalled;
    }
}

std::vector<output_chunk> session::take_output() {
    const std::lock_guard lock(mutex_);
    return std::exchange(output_, {});
}

std::shared_ptr<const payload> session::output(int worker) const {
    const std::lock_guard lock(mutex_);
    return slots_.at(static_cast<std::size_t>(worker)).output;
}

model::report session::report(detail how_much) const {
    constexpr std::size_t recent_spans = 200;
    model::report result;
    const std::lock_guard lock(mutex_);
    result.kind = plan_.kind;
    result.environment = environment_;
    result.wall = finished_at_;
    result.elapsed = finished_at_.value_or(since_start());
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
        record.memory_bytes = body.shares_process() ? one.by->memory_bytes : one.used.memory_bytes;
        record.spans = one.spans;
        if (one.now == phase::executing && !record.run && record.transfer_in)
            record.run = model::interval{record.transfer_in->end, since_start()};
        const auto* log = one.log ? one.log.get() : body.samples();
        if (one.now < phase::leaving && log)
            record.spans = log->spans(start_, how_much == detail::recent ? recent_spans : sample_log::capacity);
        result.workers.push_back(std::move(record));
    }
    fill_gils(result);
    fill_sampling(result);
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
            total = {plan_.sample_period, std::nullopt, 0, 0, {}, std::nullopt};
        total.ticks = std::max(total.ticks, theirs->ticks);
        total.widest_period = std::max(total.widest_period, theirs->widest_period);
        total.missed += theirs->missed;
        total.cost += theirs->cost;
        total.latest = std::max(total.latest, theirs->latest);
    }
    result.sampling = total;
}

} // namespace xcores::run
