// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/run/job_queue.hpp>

#include <algorithm>
#include <exception>
#include <utility>

#include <xcores/model/overlap.hpp>
#include <xcores/os/clock.hpp>
#include <xcores/os/machine.hpp>
#include <xcores/run/job_seat.hpp>

namespace xcores::run {
namespace {

/// Work of about this length is handed out in one piece: long against the cost of handing out, short against what a
/// person or another worker would notice.
constexpr nanoseconds wanted_share = std::chrono::milliseconds{1};

} // namespace

std::shared_ptr<job_queue> job_queue::create(queue_plan plan, std::shared_ptr<pool> workers,
                                             model::environment_record environment) {
    return std::shared_ptr<job_queue>(new job_queue(std::move(plan), std::move(workers), std::move(environment)));
}

job_queue::job_queue(queue_plan plan, std::shared_ptr<pool> workers, model::environment_record environment)
    : plan_(std::move(plan)), pool_(std::move(workers)), environment_(std::move(environment)), start_(os::now()) {
    if (plan_.sample_period > nanoseconds{0})
        sampler_ = std::make_unique<sampler>(plan_.sample_period, share_for(plan_.kind));
}

job_queue::~job_queue() = default;

void job_queue::put(std::shared_ptr<job> next) {
    dropped rest;
    orders given;
    {
        std::unique_lock lock(mutex_);
        if (!broken_.empty())
            throw queue_refused(broken_, true);
        if (closed_)
            throw queue_refused("cannot schedule new futures after shutdown", false);
        jobs_.push_back(next);
        waiting_.store(jobs_.size(), std::memory_order_release);
        given = tell_locked(rest);
        if (const auto refusal = hire_if_needed(lock)) {
            std::erase(jobs_, next);
            waiting_.store(jobs_.size(), std::memory_order_release);
            std::rethrow_exception(refusal);
        }
    }
    carry_out(given);
}

// A parked worker gets its call by whoever has one: that saves waking the thread that would pass it on. Of the others,
// one who looks will see it; else one who sleeps is woken. Who takes a job tells the next one, if there is more.
job_queue::orders job_queue::tell_locked(dropped& rest) {
    orders given;
    while (!parked_.empty()) {
        auto taken = claim_locked(rest);
        if (!taken)
            return given;
        const auto taker = std::move(parked_.back());
        parked_.pop_back();
        taker->idle = false;
        ++taker->begun;
        --idle_;
        taker->current = taken.of.get();
        taker->handed = std::make_shared<call>(std::move(taken));
        given.handed.emplace_back(taker->by, taker->handed);
    }
    news_.fetch_add(1, std::memory_order_release);
    if (sleeping_ == 0 || looking_ > 0)
        return given;
    --sleeping_;
    wake_up_.word().fetch_add(1, std::memory_order_release);
    given.wake = true;
    return given;
}

void job_queue::carry_out(const orders& given) const {
    if (given.wake)
        wake_up_.wake_one();
    for (const auto& [by, what] : given.handed)
        by->body().take_on(what);
}

bool job_queue::wants_more_than(int workers) const {
    std::size_t items = 0;
    for (const auto& one : jobs_)
        if (items += one->left(); items > static_cast<std::size_t>(workers))
            return true;
    return false;
}

// A worker more, as long as there are fewer idle ones than items to work on. Gives the reason when there is no worker
// and none can be had; otherwise those that are there will do.
std::exception_ptr job_queue::hire_if_needed(std::unique_lock<std::mutex>& lock) {
    while (serving_ < plan_.workers && wants_more_than(idle_ + arriving_)) {
        const auto place = make_seat();
        ++serving_;
        ++arriving_;
        lock.unlock();
        std::exception_ptr refusal;
        try {
            const auto hired = pool_->acquire(1).front();
            hired->give([self = shared_from_this(), place](worker& by) { self->serve(*place, by); });
        } catch (const std::exception&) {
            refusal = std::current_exception();
        }
        lock.lock();
        if (!refusal)
            continue;
        --arriving_;
        --serving_;
        place->over = true;
        return serving_ == 0 ? refusal : nullptr;
    }
    return nullptr;
}

// The place of one who has left is taken over, so that there are never more than workers.
std::shared_ptr<job_queue::seat> job_queue::make_seat() {
    auto free = std::ranges::find_if(seats_, [](const auto& one) { return one->over; });
    const auto index = static_cast<int>(free - seats_.begin());
    auto made = std::make_shared<seat>(*this, index);
    made->record.index = index;
    if (free != seats_.end())
        *free = made;
    else
        seats_.push_back(made);
    return made;
}

call job_queue::claim_locked(dropped& rest) {
    while (!jobs_.empty()) {
        auto& front = jobs_.front();
        auto share = front->claim(share_of(*front));
        auto one = front;
        if (front->left() == 0)
            jobs_.pop_front();
        waiting_.store(jobs_.size(), std::memory_order_release);
        if (!share.inputs.empty())
            return {std::move(one), share.first, std::move(share.inputs), os::now()};
        rest.push_back(std::move(one)); // cancelled; its end may run code of others, so not under our lock
    }
    return {};
}

// Large while much is left, one by one at the end: so that all workers end at about the same time.
std::size_t job_queue::share_of(const job& of) const {
    if (of.wanted_share() > 0)
        return of.wanted_share();
    if (plan_.calls_each > 0)
        return 1;
    const auto each = of.time_each();
    if (each <= nanoseconds{0})
        return 1;
    const auto wanted = std::max<std::int64_t>(1, wanted_share / each);
    const auto fair = std::max<std::size_t>(1, of.left() / static_cast<std::size_t>(2 * plan_.workers));
    return std::min(static_cast<std::size_t>(wanted), fair);
}

void job_queue::close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    wake_all_locked();
}

void job_queue::cancel_all() {
    std::deque<std::shared_ptr<job>> taken;
    {
        const std::lock_guard lock(mutex_);
        taken.swap(jobs_);
        waiting_.store(0, std::memory_order_release);
    }
    for (const auto& one : taken)
        one->cancel();
}

void job_queue::kill_workers() {
    std::vector<std::shared_ptr<worker>> workers;
    {
        const std::lock_guard lock(mutex_);
        closed_ = killed_ = true;
        for (const auto& one : seats_)
            if (one->by)
                workers.push_back(one->by);
        wake_all_locked();
    }
    cancel_all();
    for (const auto& one : workers)
        one->body().terminate();
}

std::vector<std::shared_ptr<job_queue::seat>> job_queue::busy_locked(const job* of) const {
    std::vector<std::shared_ptr<seat>> busy;
    for (const auto& one : seats_) {
        const auto* current = one->current.load();
        if (one->by && current && (!of || current == of))
            busy.push_back(one);
    }
    return busy;
}

// With the lock: the next call comes after it, and its worker drops an interrupt that came before.
void job_queue::interrupt(const job* of) {
    const std::lock_guard lock(mutex_);
    if (plan_.kind == model::worker_kind::threads)
        return;
    for (const auto& one : busy_locked(of))
        one->by->body().interrupt();
}

void job_queue::terminate_running() {
    const std::lock_guard lock(mutex_);
    for (const auto& one : busy_locked(nullptr))
        one->by->body().terminate();
}

void job_queue::wake_all_locked() {
    news_.fetch_add(1, std::memory_order_release);
    sleeping_ = 0;
    wake_up_.word().fetch_add(1, std::memory_order_release);
    wake_up_.wake_all();
    for (const auto& one : parked_)
        one->by->body().take_on(nullptr);
}

bool job_queue::left_by_all() const {
    const std::lock_guard lock(mutex_);
    return serving_ == 0;
}

bool job_queue::closed() const {
    const std::lock_guard lock(mutex_);
    return closed_;
}

std::string job_queue::broken() const {
    const std::lock_guard lock(mutex_);
    return broken_;
}

os::futex::wake job_queue::wait(nanoseconds time) {
    const auto until = os::now() + time;
    for (;;) {
        const auto seen = left_.word().load();
        {
            const std::lock_guard lock(mutex_);
            if (serving_ == 0)
                return os::futex::wake::woken;
        }
        const auto how = left_.wait(seen, until - os::now());
        if (how == os::futex::wake::signalled || os::now() >= until)
            return how;
    }
}

// What is known of a worker at this moment. Its body is there as long as it has not left.
model::worker_record job_queue::record_of(const seat& place) const {
    auto record = place.record;
    if (!place.by)
        return record;
    auto& body = place.by->body();
    const auto first = place.first_ns.load(std::memory_order_relaxed);
    if (first >= 0)
        record.run = model::interval{nanoseconds{first}, nanoseconds{place.last_ns.load(std::memory_order_relaxed)}};
    if (const auto now = body.cpu_time(); now >= nanoseconds{0} && place.cpu_before >= nanoseconds{0})
        record.cpu = now - place.cpu_before;
    if (!body.shares_process()) // what jobs take of our own process is not told apart from the rest of it
        record.memory_bytes = os::resident_bytes_of(body.process_id());
    const auto* log = place.log ? place.log.get() : body.samples();
    if (log && plan_.sample_period > nanoseconds{0})
        record.spans = log->spans(start_);
    record.how.kind = body.alive() ? model::outcome_kind::returned : model::outcome_kind::crashed;
    return record;
}

model::report job_queue::report() const {
    model::report result;
    const std::lock_guard lock(mutex_);
    result.kind = plan_.kind;
    result.environment = environment_;
    result.elapsed = os::now() - start_;
    result.wall = result.elapsed;
    for (const auto& one : seats_) {
        result.workers.push_back(record_of(*one));
        if (one->gil.identity == 0)
            continue;
        auto known = std::ranges::find(result.gils, one->gil.name, &model::gil_record::name);
        if (known == result.gils.end())
            known = result.gils.insert(known, {one->gil.name, {}, std::nullopt});
        known->workers.push_back(one->index);
    }
    if (sampler_)
        result.sampling = sampler_->record();
    model::settle_cores(result);
    return result;
}

} // namespace xcores::run
