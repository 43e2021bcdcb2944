// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>
#include <utility>

#include <xcores/model/report.hpp>

/// Reports for tests, in as few words as a test has thoughts: `run_of(threads).worker(worker().ran(1ms,
/// 9ms).running(8ms))`.
namespace xcores::test {

using model::nanoseconds;

/// One worker. Samples follow each other from the start of the run on.
class worker {
public:
    worker& started(nanoseconds start, nanoseconds end) { return set(record_.startup, start, end); }
    worker& imported(nanoseconds start, nanoseconds end) { return set(record_.imports, start, end); }
    worker& received(nanoseconds start, nanoseconds end) { return set(record_.transfer_in, start, end); }
    worker& sent(nanoseconds start, nanoseconds end) { return set(record_.transfer_out, start, end); }
    worker& ran(nanoseconds start, nanoseconds end) {
        at_ = start;
        return set(record_.run, start, end);
    }

    worker& cpu(nanoseconds time) { return record_.cpu = time, *this; }
    worker& queued(nanoseconds time) { return record_.queue_wait = time, *this; }
    worker& switched(std::int64_t voluntary, std::int64_t involuntary) {
        record_.voluntary_switches = voluntary;
        record_.involuntary_switches = involuntary;
        return *this;
    }
    worker& memory(std::int64_t bytes) { return record_.memory_bytes = bytes, *this; }
    worker& shares(std::int64_t proportional, std::int64_t unique) {
        record_.proportional_bytes = proportional;
        record_.unique_bytes = unique;
        return *this;
    }
    worker& moved(model::traffic in, model::traffic out) {
        record_.bytes_in = in;
        record_.bytes_out = out;
        return *this;
    }
    worker& in_process(std::int64_t process, std::int64_t thread) {
        record_.process_id = process;
        record_.native_thread_id = thread;
        return *this;
    }

    worker& did(std::int64_t items) { return record_.items = items, *this; }
    worker& named(model::lane_kind kind, std::string name) { ///< not a worker, but a thread or process under any cell
        record_.lane = kind;
        record_.name = std::move(name);
        return returned();
    }

    worker& holding(nanoseconds time, int core = 0) {
        return sample(time, model::thread_state::running, model::gil_state::held, core);
    }
    worker& running(nanoseconds time, int core = 0) {
        return sample(time, model::thread_state::running, model::gil_state::not_held, core);
    }
    worker& elsewhere(nanoseconds time, int core = 0) { ///< on a core, with or without a GIL that is not known here
        return sample(time, model::thread_state::running, model::gil_state::unknown, core);
    }
    worker& waiting_for_gil(nanoseconds time) {
        return sample(time, model::thread_state::waiting_gil, model::gil_state::not_held, -1);
    }
    worker& waiting_for_core(nanoseconds time, model::gil_state gil = model::gil_state::not_held) {
        return sample(time, model::thread_state::waiting_core, gil, -1);
    }
    worker& blocked(nanoseconds time) {
        return sample(time, model::thread_state::blocked, model::gil_state::not_held, -1);
    }
    worker& unknown(nanoseconds time) {
        return sample(time, model::thread_state::unknown, model::gil_state::unknown, -1);
    }
    worker& not_sampled(nanoseconds time) { return at_ += time, *this; }

    worker& returned(std::string result = "") {
        record_.result = std::move(result);
        return ended(model::outcome_kind::returned);
    }
    worker& raised(std::string type, std::string message) {
        record_.how.type = std::move(type);
        return ended(model::outcome_kind::raised, std::move(message));
    }
    worker& ended(model::outcome_kind kind, std::string message = "") {
        record_.how.kind = kind;
        record_.how.message = std::move(message);
        return *this;
    }
    worker& with_code(int code) { return record_.how.code = code, *this; }
    worker& left_behind() { return record_.how.abandoned = true, *this; }

    const model::worker_record& record() const { return record_; }

private:
    worker& set(std::optional<model::interval>& phase, nanoseconds start, nanoseconds end) {
        phase = {start, end};
        return *this;
    }
    worker& sample(nanoseconds time, model::thread_state state, model::gil_state gil, int core) {
        record_.spans.push_back({at_, at_ + time, state, gil, core});
        at_ += time;
        return *this;
    }

    model::worker_record record_;
    nanoseconds at_{};
};

/// A finished run; its wall time is the end of whatever ended last, unless told.
class run_of {
public:
    explicit run_of(model::worker_kind kind) {
        report_.kind = kind;
        report_.environment.xcores = "0.1.0";
        report_.environment.python = "3.14.8";
        report_.environment.platform = "Linux";
        report_.environment.cpu = "a processor";
        report_.environment.cores = {0, 1};
    }

    run_of& cores(std::vector<int> numbers) { return report_.environment.cores = std::move(numbers), *this; }
    run_of& without_gil() { return report_.environment.gil_disabled = true, *this; }
    run_of& worker(const test::worker& one);
    run_of& sharing_gil(std::string name, std::optional<std::int64_t> handovers = {});
    run_of& own_gils(const std::string& name);
    run_of& sampled(nanoseconds period, nanoseconds cost);
    run_of& wall(nanoseconds time) {
        report_.wall = report_.elapsed = time;
        return *this;
    }
    run_of& items(std::int64_t done, std::int64_t failed, std::optional<std::int64_t> total) {
        report_.items = model::items_record{done, failed, total};
        return *this;
    }
    run_of& still_running(nanoseconds elapsed) {
        report_.wall.reset();
        report_.elapsed = elapsed;
        return *this;
    }

    const model::report& report() const { return report_; }

private:
    model::report report_;
};

} // namespace xcores::test
