// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/model/json.hpp>

#include <xcores/model/json_parts.hpp>

namespace xcores::model {

namespace {

json memory_shares_json(const worker_record& worker) {
    if (!worker.proportional_bytes && !worker.unique_bytes)
        return nullptr;
    return {{"proportional_bytes", optional_json(worker.proportional_bytes)},
            {"unique_bytes", optional_json(worker.unique_bytes)}};
}

json id_json(std::int64_t id) {
    return id == 0 ? json(nullptr) : json(id);
}

json spans_json(const std::vector<span>& spans) {
    json gaps = json::array();
    json lengths = json::array();
    json cores = json::array();
    std::string states;
    std::string gils;
    nanoseconds previous{};
    for (const span& one : spans) {
        gaps.push_back((one.start - previous).count());
        lengths.push_back((one.end - one.start).count());
        states += state_letters[static_cast<std::size_t>(one.state)];
        gils += gil_letters[static_cast<std::size_t>(one.gil)];
        cores.push_back(one.core == -1 ? json(nullptr) : json(one.core));
        previous = one.end;
    }
    return {{"gap_ns", std::move(gaps)},
            {"length_ns", std::move(lengths)},
            {"state", std::move(states)},
            {"gil", std::move(gils)},
            {"core", std::move(cores)}};
}

json outcome_json(const outcome& how) {
    return {{"kind", name_of(how.kind)},       {"type", how.type},
            {"message", how.message},          {"traceback", how.traceback},
            {"code", optional_json(how.code)}, {"abandoned", how.abandoned}};
}

// `lane`, `name` and `left_out` came later, and only where no worker of ours ran: reports of workers go without them.
// So do workers that have imported nothing without `import_ns`.
json worker_json(const worker_record& worker) {
    json result = {{"index", worker.index},
                   {"process_id", id_json(worker.process_id)},
                   {"native_thread_id", id_json(worker.native_thread_id)},
                   {"startup_ns", optional_json(worker.startup)},
                   {"transfer_in_ns", optional_json(worker.transfer_in)},
                   {"run_ns", optional_json(worker.run)},
                   {"transfer_out_ns", optional_json(worker.transfer_out)},
                   {"cpu_ns", optional_json(worker.cpu)},
                   {"queue_wait_ns", optional_json(worker.queue_wait)},
                   {"voluntary_switches", optional_json(worker.voluntary_switches)},
                   {"involuntary_switches", optional_json(worker.involuntary_switches)},
                   {"minor_faults", optional_json(worker.minor_faults)},
                   {"major_faults", optional_json(worker.major_faults)},
                   {"migrations", optional_json(worker.migrations)},
                   {"memory_bytes", optional_json(worker.memory_bytes)},
                   {"items", optional_json(worker.items)},
                   {"memory_shares", memory_shares_json(worker)},
                   {"bytes_in", optional_json(worker.bytes_in)},
                   {"bytes_out", optional_json(worker.bytes_out)},
                   {"outcome", outcome_json(worker.how)},
                   {"result", worker.result},
                   {"spans", spans_json(worker.spans)}};
    if (worker.lane != lane_kind::worker) {
        result["lane"] = name_of(worker.lane);
        result["name"] = worker.name;
    }
    if (worker.imports)
        result["import_ns"] = optional_json(worker.imports);
    return result;
}

json failure_json(const std::optional<item_failure>& failure) {
    if (!failure)
        return nullptr;
    return {{"index", failure->index}, {"worker", failure->worker}, {"what", failure->what}};
}

json items_json(const std::optional<items_record>& items) {
    if (!items)
        return nullptr;
    return {{"done", items->done},
            {"failed", items->failed},
            {"total", optional_json(items->total)},
            {"first_failure", failure_json(items->first_failure)}};
}

json spread_json(const std::optional<spread>& times) {
    return times ? json{times->least.count(), times->median.count(), times->most.count()} : json(nullptr);
}

json repeats_json(const std::optional<repeat_record>& repeats) {
    if (!repeats)
        return nullptr;
    json workers = json::array();
    for (const auto& times : repeats->run)
        workers.push_back(spread_json(times));
    return {{"runs", repeats->runs}, {"wall_ns", spread_json(repeats->wall)}, {"run_ns", std::move(workers)}};
}

} // namespace

json to_json(const std::optional<sampling_record>& sampling) {
    if (!sampling)
        return nullptr;
    json made{{"period_ns", sampling->period.count()},
              {"widest_period_ns", optional_json(sampling->widest_period)},
              {"ticks", sampling->ticks},
              {"missed", sampling->missed},
              {"cost_ns", sampling->cost.count()},
              {"latest_ns", optional_json(sampling->latest)}};
    if (sampling->recorded) {
        json& recorded = made["recorded"];
        for_each_field(*sampling->recorded,
                       [&recorded](const char* name, auto value) { recorded[name] = number(value); });
    }
    return made;
}

json environment_json(const environment_record& environment) {
    return {{"xcores", environment.xcores},
            {"python", environment.python},
            {"platform", environment.platform},
            {"cpu", environment.cpu},
            {"cores", environment.cores},
            {"switch_interval_ns", optional_json(environment.switch_interval)},
            {"gil_disabled", environment.gil_disabled}};
}

json to_json(const report& from) {
    json workers = json::array();
    for (const worker_record& worker : from.workers)
        workers.push_back(worker_json(worker));
    json gils = json::array();
    for (const gil_record& gil : from.gils)
        gils.push_back({{"name", gil.name}, {"workers", gil.workers}, {"handovers", optional_json(gil.handovers)}});
    json result = {{"schema", report::schema},
                   {"kind", name_of(from.kind)},
                   {"environment", environment_json(from.environment)},
                   {"wall_ns", optional_json(from.wall)},
                   {"elapsed_ns", from.elapsed.count()},
                   {"workers", std::move(workers)},
                   {"gils", std::move(gils)},
                   {"sampling", to_json(from.sampling)},
                   {"items", items_json(from.items)},
                   {"repeats", repeats_json(from.repeats)},
                   {"downsampled_from", optional_json(from.downsampled_from)}};
    if (from.left_out > 0)
        result["left_out"] = from.left_out;
    return result;
}

} // namespace xcores::model
