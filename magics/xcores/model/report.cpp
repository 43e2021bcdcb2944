// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/model/report.hpp>

#include <algorithm>

namespace xcores::model {

std::string_view name_of(worker_kind kind) {
    switch (kind) {
    case worker_kind::threads:
        return "threads";
    case worker_kind::subinterp:
        return "subinterp";
    case worker_kind::procs:
        return "procs";
    case worker_kind::cores:
        return "cores";
    }
    return "unknown";
}

std::string_view name_of(lane_kind kind) {
    switch (kind) {
    case lane_kind::worker:
        return "worker";
    case lane_kind::python_thread:
        return "python_thread";
    case lane_kind::native_thread:
        return "native_thread";
    case lane_kind::process:
        return "process";
    }
    return "unknown";
}

std::string_view name_of(thread_state state) {
    switch (state) {
    case thread_state::unknown:
        return "unknown";
    case thread_state::running:
        return "running";
    case thread_state::waiting_gil:
        return "waiting_gil";
    case thread_state::waiting_core:
        return "waiting_core";
    case thread_state::blocked:
        return "blocked";
    }
    return "unknown";
}

std::string_view name_of(gil_state state) {
    switch (state) {
    case gil_state::unknown:
        return "unknown";
    case gil_state::not_held:
        return "not_held";
    case gil_state::held:
        return "held";
    }
    return "unknown";
}

std::string_view name_of(outcome_kind kind) {
    switch (kind) {
    case outcome_kind::pending:
        return "pending";
    case outcome_kind::returned:
        return "returned";
    case outcome_kind::raised:
        return "raised";
    case outcome_kind::exited:
        return "exited";
    case outcome_kind::crashed:
        return "crashed";
    case outcome_kind::timed_out:
        return "timed_out";
    case outcome_kind::interrupted:
        return "interrupted";
    case outcome_kind::failed:
        return "failed";
    }
    return "unknown";
}

void add(std::optional<traffic>& sum, const std::optional<traffic>& more) {
    if (!more)
        return;
    const traffic before = sum.value_or(traffic{});
    sum = traffic{before.copied + more->copied, before.shared + more->shared};
}

void add(std::optional<recorded_events>& sum, const std::optional<recorded_events>& more) {
    if (!more)
        return;
    auto all = sum.value_or(recorded_events{});
    all.switches += more->switches;
    all.preemptions += more->preemptions;
    all.acquisitions += more->acquisitions;
    all.longest_wait = std::max(all.longest_wait, more->longest_wait);
    all.sampled += more->sampled;
    sum = all;
}

} // namespace xcores::model
