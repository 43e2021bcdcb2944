// SPDX-License-Identifier: BSD-3-Clause
// The workers' side of the job queue.
#include <algorithm>
#include <exception>
#include <utility>

#include <xcores/os/clock.hpp>
#include <xcores/os/error_text.hpp>
#include <xcores/run/job_seat.hpp>

namespace xcores::run {
namespace {

model::outcome failed(std::string message) {
    return {model::outcome_kind::failed, {}, std::move(message), {}, std::nullopt, false};
}

model::outcome killed(model::worker_kind kind) {
    auto how = failed("the workers of the executor were terminated before this job began");
    how.type = std::string(broken_type) + " " + std::string(model::name_of(kind));
    return how;
}

void fail(const call& one, const model::outcome& how) {
    one.of->finish(one.first, one.inputs.size(), nanoseconds{0}, {0, {}, how, {}});
}

} // namespace

void job_queue::serve(seat& place, worker& by) noexcept {
    std::string refusal;
    by.serves = true;
    try {
        arrive(place, by);
        by.body().serve(place, {plan_.workers, plan_.sample_period, plan_.output});
    } catch (const std::exception& error) {
        refusal = os::text_of(error);
    }
    by.serves = false;
    leave(place, by, refusal);
}

void job_queue::arrive(seat& place, worker& by) {
    auto& body = by.body();
    const auto begin = os::now() - start_;
    const bool cold = !by.opened;
    if (cold)
        body.open();
    by.opened = true;
    const std::lock_guard lock(mutex_);
    place.by = by.shared_from_this();
    if (cold)
        place.record.startup = model::interval{begin, os::now() - start_};
    place.initialised = !plan_.initial;
    place.record.process_id = body.process_id();
    place.record.native_thread_id = body.native_thread_id();
    place.gil = body.gil();
    place.cpu_before = body.cpu_time();
    if (auto* what = body.thread_probe(); what && sampler_) {
        place.log = sample_log::create();
        sampler_->add(*what, *place.log);
    }
}

void job_queue::leave(seat& place, worker& by, const std::string& refusal) noexcept {
    {
        const std::lock_guard lock(mutex_);
        if (place.log)
            sampler_->remove(*by.body().thread_probe());
        place.record = record_of(place);
        place.log.reset();
        place.by.reset();
    }
    // Before anybody can learn that it has left, so that the next one finds its worker.
    if (plan_.initial || !by.usable() || is_spent(place))
        by.retire();
    else
        pool_->give_back(by.shared_from_this());
    auto why = refusal;
    {
        std::unique_lock lock(mutex_);
        place.over = true;
        --serving_;
        if (!place.arrived)
            --arriving_;
        if (why.empty() && hire_if_needed(lock))
            why = "no worker could be made to replace one that died";
        if (serving_ > 0)
            why.clear(); // the others go on
    }
    if (!why.empty())
        fail_all(failed(why));
    left_.word().fetch_add(1);
    left_.wake_all();
}

bool job_queue::wait_for_more(seat& place) {
    std::unique_lock lock(mutex_);
    if (!std::exchange(place.arrived, true))
        --arriving_;
    if (!place.initialised)
        return true;
    if (is_spent(place))
        return false;
    if (!std::exchange(place.idle, true)) {
        ++idle_;
        ++looking_;
    }
    for (bool looked = false;;) {
        if (!jobs_.empty())
            return true;
        if (closed_ || !broken_.empty()) {
            end_idleness(place);
            return false;
        }
        if (!std::exchange(looked, true)) {
            const auto seen = news_.load(std::memory_order_relaxed); // with the lock: nothing can be missed
            lock.unlock();
            lookout_.look_while([&] { return news_.load(std::memory_order_acquire) == seen; });
            lock.lock();
            continue;
        }
        ++sleeping_;
        --looking_;
        const auto word = wake_up_.word().load(std::memory_order_relaxed);
        lock.unlock();
        wake_up_.wait(word, os::for_ever);
        lock.lock();
        ++looking_;
        looked = false;
    }
}

void job_queue::end_idleness(seat& place) {
    if (!std::exchange(place.idle, false))
        return;
    --idle_;
    --looking_;
}

bool job_queue::park(seat& place) {
    const std::lock_guard lock(mutex_);
    if (!std::exchange(place.arrived, true))
        --arriving_;
    if (!place.initialised || !jobs_.empty() || closed_ || !broken_.empty() || is_spent(place))
        return false;
    place.idle = true;
    ++idle_;
    parked_.push_back(*std::ranges::find(seats_, &place, &std::shared_ptr<seat>::get));
    return true;
}

std::shared_ptr<call> job_queue::unpark(seat& place) {
    const std::lock_guard lock(mutex_);
    if (std::exchange(place.idle, false)) {
        --idle_;
        std::erase_if(parked_, [&](const auto& one) { return one.get() == &place; });
    }
    return std::exchange(place.handed, nullptr);
}

bool job_queue::serves_no_more(const seat& place) const {
    const std::lock_guard lock(mutex_);
    return (closed_ && jobs_.empty()) || !broken_.empty() || is_spent(place);
}

// Only the worker and who hands over to it while it is parked count its calls: it may ask without the lock.
bool job_queue::is_spent(const seat& place) const {
    return plan_.calls_each > 0 && place.begun >= plan_.calls_each;
}

call job_queue::next_call(seat& place) {
    if (!std::exchange(place.initialised, true))
        return first_call();
    dropped rest;
    orders given;
    call taken;
    {
        const std::lock_guard lock(mutex_);
        if (is_spent(place))
            return {};
        taken = claim_locked(rest);
        place.current = taken.of.get();
        if (taken)
            ++place.begun;
        if (taken && place.idle) { // the others were not told, because this one was looking
            end_idleness(place);
            if (!jobs_.empty())
                given = tell_locked(rest);
        }
    }
    carry_out(given);
    return taken;
}

// The call that makes a worker ready. It is no job of the queue: nobody waits for it, but all depends on it.
call job_queue::first_call() const {
    std::vector<payload> inputs{plan_.initial_input};
    auto own = std::make_shared<job>(plan_.initial, std::move(inputs));
    auto taken = own->claim(1);
    return {std::move(own), 0, std::move(taken.inputs), os::now()};
}

void job_queue::finish(seat& place, call done, answer given) {
    const auto end = os::now();
    place.current = nullptr;
    if (plan_.initial && done.of->what() == plan_.initial) {
        if (given.how.kind != model::outcome_kind::returned)
            break_down(given.how);
        return;
    }
    done.of->finish(done.first, done.inputs.size(), end - done.started, std::move(given));
    if (place.first_ns.load(std::memory_order_relaxed) < 0)
        place.first_ns.store((done.started - start_).count(), std::memory_order_relaxed);
    place.last_ns.store((end - start_).count(), std::memory_order_relaxed);
}

void job_queue::give_back(call unused) {
    if (plan_.initial && unused.of->what() == plan_.initial)
        return; // the next worker makes its own
    dropped rest;
    orders given;
    {
        std::unique_lock lock(mutex_);
        if (killed_) {
            lock.unlock();
            fail(unused, killed(plan_.kind));
            return;
        }
        unused.of->give_back({unused.first, std::move(unused.inputs)});
        if (std::ranges::find(jobs_, unused.of) == jobs_.end())
            jobs_.push_front(std::move(unused.of));
        waiting_.store(jobs_.size(), std::memory_order_release);
        given = tell_locked(rest);
    }
    carry_out(given);
}

void job_queue::break_down(const model::outcome& how) {
    auto broken = failed("the initializer of a worker failed, the executor is not usable any more (" +
                         (how.type.empty() ? how.message : how.type + ": " + how.message) + ")");
    broken.type = std::string(broken_type) + " " + std::string(model::name_of(plan_.kind));
    {
        const std::lock_guard lock(mutex_);
        broken_ = broken.message;
        wake_all_locked();
    }
    fail_all(broken);
}

void job_queue::fail_all(const model::outcome& how) {
    dropped rest;
    for (;;) {
        call one;
        {
            const std::lock_guard lock(mutex_);
            one = claim_locked(rest);
        }
        if (!one)
            return;
        fail(one, how);
    }
}

} // namespace xcores::run
