// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/run/session.hpp>

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <iterator>

#include <xcores/os/clock.hpp>
#include <xcores/os/error_text.hpp>
#include <xcores/os/machine.hpp>

namespace xcores::run {
namespace {

constexpr nanoseconds output_pause = std::chrono::milliseconds{50};

model::interval relative(model::interval absolute, nanoseconds origin) {
    return {absolute.start - origin, absolute.end - origin};
}

/// Takes the time of imports out of the phases during which they happened.
void separate_imports(model::worker_record& record, nanoseconds while_starting, nanoseconds while_receiving) {
    model::interval& received = *record.transfer_in;
    // What a worker process says may be anything.
    const auto possible = [](nanoseconds told, nanoseconds most) { return std::clamp(told, nanoseconds{0}, most); };
    while_receiving = possible(while_receiving, received.length());
    while_starting = possible(while_starting, record.startup ? record.startup->length() : nanoseconds{0});
    if (while_starting + while_receiving < model::shortest_import)
        return;
    model::interval imports{received.start, received.start + while_receiving};
    if (while_starting > nanoseconds{0})
        imports.start = record.startup->end -= while_starting;
    received.start = imports.end;
    record.imports = imports;
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
        self.sampler_ = std::make_unique<sampler>(self.plan_.sample_period, share_for(self.plan_.kind));
    if (self.plan_.items)
        self.plan_.items->when_hungry([weak = made->weak_from_this()] {
            if (const auto kept = weak.lock())
                kept->event_.notify();
        });
    if (self.plan_.fresh)
        self.pool_->retire_idle();
    const auto count = static_cast<int>(self.slots_.size());
    self.occupy(self.plan_.keep ? self.pool_->acquire_kept(count) : self.pool_->acquire(count));
    for (std::size_t i = 0; i < self.slots_.size(); ++i)
        self.slots_[i].by->give([made, i](worker& by) { made->work(static_cast<int>(i), by); });
    return made;
}

void session::occupy(std::vector<std::shared_ptr<worker>> taken) {
    for (std::size_t i = 0; i < taken.size(); ++i) {
        auto& one = slots_[i];
        one.by = std::move(taken[i]);
        one.cold = !one.by->opened;
        one.record.index = static_cast<int>(i);
    }
    const payload* before = nullptr;
    for (const auto& one : plan_.inputs)
        if (one.get() != std::exchange(before, one.get()))
            input_size_ += static_cast<std::int64_t>(one->data.size());
    resident_ = resident_now(); // of interpreters: what threads take belongs to the notebook, and processes tell
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
        answer.how = {model::outcome_kind::failed, {}, os::text_of(error), {}, std::nullopt, false};
    }
    mark(one, phase::ready);
    arrive();
    bool stopping = false;
    {
        const std::lock_guard lock(mutex_);
        stopping = stopping_ != stop_reason::none;
        if (ready && stopping)
            answer.how = stopped("before it began");
        else if (one.given_up)
            answer.how = stopped("it did not stop when asked and was killed");
        else if (ready)
            one.now = one.now == phase::ended ? phase::ended : phase::executing;
    }
    if (ready && !stopping)
        try {
            answer = run_to_end(one, index, by);
        } catch (const std::exception& error) {
            answer.how = {model::outcome_kind::failed, {}, os::text_of(error), {}, std::nullopt, false};
        }
    end(one, index, by, std::move(answer));
}

reply session::run_to_end(slot& one, int index, worker& by) {
    for (;;) {
        auto used = by.body().execute();
        const auto run_end = since_start();
        note_growth();
        mark(one, phase::sending);
        auto answer = by.body().collect();
        const auto sent = since_start();
        {
            const std::lock_guard lock(mutex_);
            if (one.now != phase::ended) {
                keep_usage(one, std::move(used));
                one.record.transfer_out = model::interval{one.record.run ? one.record.run->end : run_end, sent};
            }
        }
        if (!plan_.items || by.body().alive() || !replace(one, index, by, answer.how))
            return answer;
    }
}

void session::keep_usage(slot& one, usage used) {
    const auto before = one.record.run;
    one.used = std::move(used);
    if (one.used.run)
        one.record.run = relative(*one.used.run, start_);
    if (before && one.record.run) {
        // It has been replaced: only half of these are known.
        one.record.run->start = before->start;
        const auto memory = one.used.memory_bytes;
        one.used = {};
        one.used.memory_bytes = memory;
    }
}

// Start-up, imports and transfer in, each timed.
bool session::receive(slot& one, int index, worker& by) {
    auto& body = by.body();
    nanoseconds imported_while_opening{};
    if (!by.opened) {
        mark(one, phase::opening);
        const auto begin = since_start();
        body.foresee(plan_.inputs[static_cast<std::size_t>(index)]);
        body.open();
        by.opened = true;
        imported_while_opening = body.import_time();
        const std::lock_guard lock(mutex_);
        if (one.now == phase::ended)
            return false;
        one.record.startup = model::interval{begin, since_start()};
        if (std::ranges::none_of(slots_, [](const slot& each) { return each.cold && !each.record.startup; }))
            attribute_start_locked(); // before it grows by what they receive
    }
    const auto begin = since_start();
    {
        const std::lock_guard lock(mutex_);
        if (one.now == phase::ended)
            return false;
        one.now = phase::receiving;
        identify(one, body);
        if (auto* what = body.thread_probe(); what && sampler_) {
            one.log = sample_log::create();
            sampler_->add(*what, *one.log);
            one.registered = true;
        }
    }
    prepare(index, by);
    const std::lock_guard lock(mutex_);
    one.record.bytes_in = traffic_of(*plan_.inputs[static_cast<std::size_t>(index)], body);
    one.record.transfer_in = model::interval{begin, since_start()};
    separate_imports(one.record, imported_while_opening, body.import_time());
    return true;
}

std::optional<model::traffic> session::traffic_of(const payload& what, const worker_body& with) {
    const auto shared_from = with.shares_from();
    if (!shared_from)
        return std::nullopt;
    model::traffic sum{static_cast<std::int64_t>(what.data.size()), 0};
    for (const auto& one : what.buffers)
        (one.size >= *shared_from ? sum.shared : sum.copied) += static_cast<std::int64_t>(one.size);
    return sum;
}

void session::identify(slot& one, const worker_body& body) {
    one.record.process_id = body.process_id();
    one.record.native_thread_id = body.native_thread_id();
    one.gil = body.gil();
}

void session::prepare(int index, worker& by) {
    const std::weak_ptr<session> self = weak_from_this();
    const auto sink = [self, index](stream from, std::string_view text) {
        const auto kept = self.lock();
        if (!kept || text.empty())
            return;
        const std::lock_guard lock(kept->mutex_);
        kept->slots_[static_cast<std::size_t>(index)].printing.feed(text);
        kept->output_.push_back({index, from, std::string(text)});
        if (kept->output_.size() == 1)
            kept->event_.notify();
    };
    const auto& pins = plan_.pin_to;
    const int core = pins.empty() ? -1 : pins[static_cast<std::size_t>(index) % pins.size()];
    by.body().prepare({index, static_cast<int>(slots_.size()), plan_.inputs[static_cast<std::size_t>(index)],
                       plan_.sample_period, make_feed(index), core},
                      sink);
}

void session::arrive() {
    if (gate_.arrive()) {
        {
            const std::lock_guard lock(mutex_);
            attribute_start_locked(); // not all could be opened
            for (auto& one : slots_)
                one.memory = one.by->memory_bytes();
        }
        gate_.open();
    }
    gate_.wait();
}

// Memory of this process, without what these interpreters have lent to the notebook.
std::optional<std::int64_t> session::resident_now() const {
    auto bytes = plan_.kind == model::worker_kind::subinterp ? os::resident_bytes() : std::nullopt;
    if (bytes)
        for (const auto& one : slots_)
            *bytes -= one.by->body().lent_bytes();
    return bytes;
}

// Interpreters open side by side, and nothing tells which page is whose: only their common growth can be measured, and
// each gets its share.
void session::attribute_start_locked() {
    const auto now = resident_ && !std::exchange(start_attributed_, true) ? resident_now() : std::nullopt;
    const auto is_new = [](const slot& one) { return one.cold && one.record.startup; };
    const auto opened = std::ranges::count_if(slots_, is_new);
    if (!now || opened == 0)
        return;
    const auto each = pool_->start_memory((*now - *resident_) / opened);
    for (auto& one : slots_)
        if (is_new(one))
            one.by->set_memory(each);
    resident_ = now;
}

void session::note_growth() {
    if (!resident_)
        return;
    const std::lock_guard lock(mutex_);
    if (const auto now = resident_now())
        growth_ = std::max(growth_.value_or(*now - *resident_), *now - *resident_);
}

// What is smaller is not told apart from what else goes on in the process; nor is, in a mapped cell, what the notebook
// makes of the results meanwhile.
std::int64_t session::share_of(std::int64_t growth) const {
    constexpr std::int64_t least = 1 << 20;
    std::optional<model::traffic> back;
    for (const auto& one : slots_)
        model::add(back, one.record.bytes_out);
    const bool is_blurred = plan_.items && back && back->copied > std::abs(growth) / 8;
    return is_blurred || std::abs(growth) < least ? 0 : growth / std::ssize(slots_);
}

// What interpreters have kept or let go of in this run: the input is gone, and results wait for the notebook.
void session::attribute_rest_locked() {
    const auto now = resident_ ? resident_now() : std::nullopt;
    if (!now)
        return;
    auto kept = *now - *resident_ + input_size_;
    for (const auto& one : slots_)
        kept -= one.output ? static_cast<std::int64_t>(one.output->data.size()) : 0;
    const auto share = share_of(kept);
    for (const auto& one : slots_)
        one.by->grow(share);
}

model::outcome session::stopped(std::string message) const {
    model::outcome how{model::outcome_kind::interrupted, {}, std::move(message), {}, {}, false};
    explain(how);
    return how;
}

/// An interrupt was ours: it says why. Where nobody has asked for one, the code itself has raised KeyboardInterrupt.
void session::explain(model::outcome& how) const {
    if (how.kind != model::outcome_kind::interrupted)
        return;
    if (stopping_ == stop_reason::none)
        how.kind = model::outcome_kind::raised;
    else if (stopping_ == stop_reason::timeout)
        how.kind = model::outcome_kind::timed_out;
    else if (stopping_ == stop_reason::failure)
        how.message = model::stopped_for_an_item;
}

void session::end(slot& one, int index, worker& by, reply answer) {
    // Before anybody can learn that the run is over: whose data it is may change it then.
    plan_.inputs[static_cast<std::size_t>(index)].reset();
    bool is_dying = false;
    {
        const std::lock_guard lock(mutex_);
        if (one.now == phase::ended) // abandoned meanwhile: nobody waits for this any more
            return;
        close(one);
        one.now = phase::leaving; // from here on the worker may serve others: no more interrupts on our behalf
        is_dying = one.given_up;
    }
    // Before anybody can learn that the run is over, so that the next run finds its workers.
    if (is_dying) // although it has answered
        by.retire();
    else
        pool_->give_back(by.shared_from_this());
    const std::lock_guard lock(mutex_);
    using enum model::outcome_kind;
    const bool by_force = answer.how.kind == crashed && force_at_ && os::now() >= *force_at_;
    if (stopping_ != stop_reason::none && by_force)
        answer.how = stopped("it did not stop when asked and was killed");
    explain(answer.how);
    lose_item(one, answer.how);
    if (one.record.transfer_out)
        model::add(one.record.bytes_out, traffic_of(answer.output, by.body()));
    one.record.how = std::move(answer.how);
    one.record.result = std::move(answer.summary);
    one.output = std::make_shared<const payload>(std::move(answer.output));
    one.now = phase::ended;
    count_end();
}

void session::count_end() {
    if (--unfinished_ > 0)
        return;
    finished_at_ = since_start();
    attribute_rest_locked();
    if (plan_.items)
        plan_.items->close(); // nobody is left to take any
    event_.notify();
}

// Ends the sampling of a worker and keeps what was seen.
void session::close(slot& one) noexcept {
    if (one.registered)
        sampler_->remove(*one.by->body().thread_probe());
    one.registered = false;
    const auto* log = one.log ? one.log.get() : one.by->body().samples();
    if (log && plan_.sample_period > nanoseconds{0})
        std::ranges::move(log->spans(start_), std::back_inserter(one.spans));
    one.log.reset();
}

void session::stop(stop_reason reason) {
    stop_others(reason, nullptr);
}

void session::stop_others(stop_reason reason, const slot* caller) {
    const std::lock_guard lock(mutex_);
    if (stopping_ != stop_reason::none || unfinished_ == 0)
        return;
    stopping_ = reason;
    force_at_ = os::now() + plan_.grace;
    gate_.open();
    if (plan_.items)
        plan_.items->close();
    for (const auto& one : slots_)
        if (&one != caller && one.can_be_reached())
            one.by->body().interrupt(); // who is not open yet finds out by itself
}

void session::abandon(slot& one) {
    close(one);
    one.by->abandon();
    if (!one.record.run && one.record.transfer_in)
        one.record.run = model::interval{one.record.transfer_in->end, since_start()};
    one.record.how = stopped("it did not stop when asked");
    one.record.how.abandoned = true;
    lose_item(one, one.record.how);
    one.now = phase::ended;
    count_end();
}

void session::enforce_limits() {
    const auto time = os::now();
    if (plan_.timeout && time >= start_ + *plan_.timeout)
        stop(stop_reason::timeout);
    const std::lock_guard lock(mutex_);
    if (!force_at_ || time < *force_at_)
        return;
    for (auto& one : slots_)
        if (one.now < phase::leaving && !end_by_force(one))
            abandon(one);
}

bool session::end_by_force(slot& one) {
    one.given_up = true;
    if (one.can_be_reached())
        return one.by->body().terminate();
    return one.by->body().give_up();
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
            if (plan_.items && plan_.items->wanted() > 0)
                return wake::hungry;
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

} // namespace xcores::run
