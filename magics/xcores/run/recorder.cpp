// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/run/recorder.hpp>

#include <algorithm>
#include <exception>
#include <utility>

#include <xcores/os/clock.hpp>
#include <xcores/os/named_thread.hpp>
#include <xcores/os/thread_probe.hpp>

namespace xcores::run {
namespace {

/// What has changed may be about to change further: a thread becomes Python's a moment after it began.
constexpr nanoseconds period_after_a_change = std::chrono::milliseconds{5};
constexpr nanoseconds thorough_period = std::chrono::milliseconds{30};

/// Of a core, for the sampler; the rest of one per cent is for listing.
constexpr int share = 125;

sample_log& log_in(const os::shared_memory& memory) {
    return *static_cast<sample_log*>(memory.data());
}

/// A thread that has computed for a while when it is found has been there for as long at least; of a process the system
/// knows when it began.
nanoseconds began_by(watched& what, model::lane_kind kind, nanoseconds time, nanoseconds origin) {
    const auto known = what.began();
    const auto computed = kind == model::lane_kind::process ? nanoseconds{0} : what.cpu();
    return std::clamp(known ? *known - origin : time - computed, nanoseconds{0}, time);
}

/// The sampler goes on until it is told to stop, and a thread may have ended some time before that was noticed.
void drop_what_came_after(trace& one) {
    auto& spans = one.spans;
    while (!spans.empty() && spans.back().start >= one.seen.end)
        spans.pop_back();
    if (!spans.empty())
        spans.back().end = std::min(spans.back().end, one.seen.end);
    while (!spans.empty() && spans.back().state == model::thread_state::unknown) {
        one.seen.end = std::max(one.seen.start, std::min(one.seen.end, spans.back().start));
        spans.pop_back();
    }
}

} // namespace

recorder::recorder(std::unique_ptr<surroundings> around, nanoseconds period)
    : around_(std::move(around)), start_(os::now()), sampler_(period, share, [this] {
          around_->look();
          if (around_->has_changed()) {
              changed_ = true;
              wake_.notify_one(); // without the lock, in which things are handed to the sampler; the next look tells
                                  // again
          }
      }) {
    try {
        list(surroundings::care::thorough);
        listed_once_ = true;
        thread_ = os::named_thread("xcores recorder", [this] { loop(); });
    } catch (...) {
        halt();
        throw;
    }
}

recorder::~recorder() {
    halt();
}

// Ends the thread and leaves nothing with the sampler.
void recorder::halt() noexcept {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
        wake_.notify_one();
    }
    if (thread_.joinable())
        thread_.join();
    for (auto& [what, one] : current_)
        sampler_.remove(*one.by);
}

void recorder::loop() noexcept {
    os::block_signals_on_this_thread();
    std::unique_lock lock(mutex_);
    auto thorough_due = std::chrono::steady_clock::now() + thorough_period;
    auto due = thorough_due;
    for (;;) {
        wake_.wait_until(lock, due, [this] { return stopping_ || changed_; });
        if (stopping_)
            return;
        const auto now = std::chrono::steady_clock::now();
        const bool changed = changed_.exchange(false);
        const bool is_thorough = now >= thorough_due;
        thorough_due = is_thorough ? now + thorough_period : thorough_due;
        due = changed ? std::min(thorough_due, now + period_after_a_change) : thorough_due;
        try {
            list(is_thorough ? surroundings::care::thorough : surroundings::care::quick);
        } catch (const std::exception&) { // no memory or no descriptors now: what is new is seen later, or not at all
            made_.left_out = std::max<std::size_t>(made_.left_out, 1);
        }
        cost_ = os::thread_cpu_time();
    }
}

void recorder::list(surroundings::care how) {
    auto there = around_->list(how);
    const auto time = os::now() - start_;
    std::ranges::sort(there);
    for (auto one = current_.begin(); one != current_.end();) {
        const bool asked = how == surroundings::care::thorough || around_->lists_quickly(one->first.kind);
        if (!asked || std::ranges::binary_search(there, one->first)) {
            ++one;
            continue;
        }
        end(one->second, time);
        one = current_.erase(one);
    }
    std::size_t too_many = 0;
    for (const subject& one : there) {
        if (current_.contains(one))
            continue;
        if (current_.size() < most_watched)
            begin(one, time);
        else
            ++too_many;
    }
    made_.left_out = std::max(made_.left_out, too_many);
}

void recorder::begin(const subject& what, nanoseconds time) {
    auto by = around_->watch(what);
    if (!by)
        return;
    watch made{{}, std::move(by), os::shared_memory::create(sizeof(sample_log)), {}, {}};
    made.what.what = what;
    made.what.name = made.by->name();
    made.what.was_there = !listed_once_;
    made.what.seen = {made.what.was_there ? nanoseconds{0} : began_by(*made.by, what.kind, time, start_), time};
    auto& kept = current_.emplace(what, std::move(made)).first->second;
    sampler_.add(*kept.by, log_in(kept.log));
    if (kept.what.was_there) { // read when the sampler begins, which may have to wait
        kept.cpu_before = kept.by->cpu();
        kept.queue_wait_before = kept.by->queue_wait();
    } else {
        kept.cpu_before = cpu_before(what, *kept.by, time);
        const watch* known = same_thread(what);
        kept.queue_wait_before = known ? known->queue_wait_before : nanoseconds{0};
    }
}

/// What its clock showed when the recording began. Of a thread that turns up in another interpreter that is not zero,
/// nor of one that has computed for longer than the recording lasts.
nanoseconds recorder::cpu_before(const subject& what, watched& by, nanoseconds time) const {
    if (what.kind == model::lane_kind::process)
        return nanoseconds{0};
    if (const watch* known = same_thread(what))
        return known->cpu_before;
    const auto is_same = [&](const trace& one) {
        return one.what.kind != model::lane_kind::process && one.what.id == what.id;
    };
    const auto left = std::ranges::find_if(made_.traces, is_same); // it was in another one until now
    const nanoseconds counted = left == made_.traces.end() ? time : left->cpu;
    return std::max(nanoseconds{0}, by.cpu() - counted);
}

const recorder::watch* recorder::same_thread(const subject& what) const {
    if (what.kind == model::lane_kind::process)
        return nullptr;
    const auto found = std::ranges::find_if(current_, [&](const auto& one) {
        return one.first.kind != model::lane_kind::process && one.first.id == what.id && !(one.first == what);
    });
    return found == current_.end() ? nullptr : &found->second;
}

trace recorder::seen_of(watch& one, nanoseconds time, std::size_t most_spans) const {
    trace made = one.what;
    made.seen.end = time;
    made.cpu = std::max(nanoseconds{0}, one.by->cpu() - one.cpu_before);
    made.spans = log_in(one.log).spans(start_, most_spans);
    return made;
}

void recorder::end(watch& one, nanoseconds time) {
    const auto sampled = sampler_.remove(*one.by);
    one.what = seen_of(one, time, sample_log::capacity);
    if (const auto waited = one.by->queue_wait(); waited && one.queue_wait_before)
        one.what.queue_wait = *waited - *one.queue_wait_before;
    if (one.what.name.empty())
        one.what.name = one.by->name();
    one.what.sampled = sampled;
    drop_what_came_after(one.what);
    made_.traces.push_back(std::move(one.what));
}

recording recorder::so_far() {
    constexpr nanoseconds recent = std::chrono::seconds{1};
    constexpr std::size_t recent_spans = 200;
    const std::lock_guard lock(mutex_);
    recording made;
    made.wall = os::now() - start_;
    for (const trace& one : made_.traces)
        if (one.seen.end > made.wall - recent)
            made.traces.push_back(one);
    for (auto& [what, one] : current_)
        made.traces.push_back(seen_of(one, made.wall, recent_spans));
    made.left_out = made_.left_out;
    made.sampling = sampler_.record();
    return made;
}

recording recorder::stop() {
    const auto time = os::now() - start_;
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
        wake_.notify_one();
    }
    thread_.join();
    for (auto& [what, one] : current_)
        end(one, time);
    current_.clear();
    std::ranges::stable_sort(made_.traces, {},
                             [](const trace& one) { return std::pair(!one.was_there, one.seen.start); });
    made_.wall = time;
    made_.gils = around_->gils();
    made_.sampling = sampler_.record();
    made_.sampling.cost += cost_;
    return std::move(made_);
}

} // namespace xcores::run
