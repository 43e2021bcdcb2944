// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/model/json.hpp>

#include <xcores/model/json_parts.hpp>

namespace xcores::model {

namespace {

// One letter a span, so that a long run stays short; the order is that of the enumerations.
constexpr std::string_view state_letters = "?rgcb";
constexpr std::string_view gil_letters = "?nh";

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
                   {"outcome", outcome_json(worker.how)},
                   {"result", worker.result},
                   {"spans", spans_json(worker.spans)}};
    if (worker.lane != lane_kind::worker) {
        result["lane"] = name_of(worker.lane);
        result["name"] = worker.name;
    }
    return result;
}

json sampling_json(const std::optional<sampling_record>& sampling) {
    if (!sampling)
        return nullptr;
    return {{"period_ns", sampling->period.count()},
            {"widest_period_ns", optional_json(sampling->widest_period)},
            {"ticks", sampling->ticks},
            {"missed", sampling->missed},
            {"cost_ns", sampling->cost.count()},
            {"latest_ns", optional_json(sampling->latest)}};
}

json items_json(const std::optional<items_record>& items) {
    if (!items)
        return nullptr;
    return {{"done", items->done}, {"failed", items->failed}, {"total", optional_json(items->total)}};
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

template <class Enum>
Enum from_letter(const place& from, std::string_view letters, std::size_t index) {
    const auto found = letters.find(from.text()[index]);
    if (found == std::string_view::npos)
        from.fail("unknown letter");
    return static_cast<Enum>(found);
}

std::vector<span> spans_from(const place& from) {
    const place gaps = from.at("gap_ns");
    const place lengths = from.at("length_ns");
    const place states = from.at("state");
    const place gils = from.at("gil");
    const place cores = from.at("core");
    const std::size_t size = gaps.size();
    if (lengths.size() != size || states.text().size() != size || gils.text().size() != size || cores.size() != size)
        from.fail("columns of different lengths");
    std::vector<span> result;
    result.reserve(size);
    nanoseconds previous{};
    for (std::size_t i = 0; i < size; ++i) {
        span one;
        one.start = previous + gaps.at(i).time();
        one.end = one.start + lengths.at(i).time();
        one.state = from_letter<thread_state>(states, state_letters, i);
        one.gil = from_letter<gil_state>(gils, gil_letters, i);
        one.core = optional_integer<int>(cores.at(i)).value_or(-1);
        previous = one.end;
        result.push_back(one);
    }
    return result;
}

outcome outcome_from(const place& from) {
    outcome how;
    how.kind = enumerator<outcome_kind>(from.at("kind"), 8);
    how.type = from.at("type").text();
    how.message = from.at("message").text();
    how.traceback = from.at("traceback").text();
    how.code = optional_integer<int>(from.at("code"));
    how.abandoned = from.at("abandoned").flag();
    return how;
}

worker_record worker_from(const place& from) {
    worker_record worker;
    worker.index = from.at("index").integer<int>();
    if (from.has("lane")) {
        worker.lane = enumerator<lane_kind>(from.at("lane"), 4);
        worker.name = from.at("name").text();
    }
    worker.process_id = optional_integer<std::int64_t>(from.at("process_id")).value_or(0);
    worker.native_thread_id = optional_integer<std::int64_t>(from.at("native_thread_id")).value_or(0);
    worker.startup = optional_interval(from.at("startup_ns"));
    worker.transfer_in = optional_interval(from.at("transfer_in_ns"));
    worker.run = optional_interval(from.at("run_ns"));
    worker.transfer_out = optional_interval(from.at("transfer_out_ns"));
    worker.cpu = optional_time(from.at("cpu_ns"));
    worker.queue_wait = optional_time(from.at("queue_wait_ns"));
    worker.voluntary_switches = optional_integer<std::int64_t>(from.at("voluntary_switches"));
    worker.involuntary_switches = optional_integer<std::int64_t>(from.at("involuntary_switches"));
    worker.minor_faults = optional_integer<std::int64_t>(from.at("minor_faults"));
    worker.major_faults = optional_integer<std::int64_t>(from.at("major_faults"));
    worker.migrations = optional_integer<std::int64_t>(from.at("migrations"));
    worker.memory_bytes = optional_integer<std::int64_t>(from.at("memory_bytes"));
    worker.items = optional_integer<std::int64_t>(from.at("items"));
    worker.how = outcome_from(from.at("outcome"));
    worker.result = from.at("result").text();
    worker.spans = spans_from(from.at("spans"));
    return worker;
}

std::optional<sampling_record> sampling_from(const place& from) {
    if (from.is_null())
        return std::nullopt;
    sampling_record sampling;
    sampling.period = from.at("period_ns").time();
    sampling.widest_period = optional_time(from.at("widest_period_ns"));
    sampling.ticks = from.at("ticks").integer<std::int64_t>();
    sampling.missed = from.at("missed").integer<std::int64_t>();
    sampling.cost = from.at("cost_ns").time();
    sampling.latest = optional_time(from.at("latest_ns"));
    return sampling;
}

std::optional<items_record> items_from(const place& from) {
    if (from.is_null())
        return std::nullopt;
    return items_record{from.at("done").integer<std::int64_t>(), from.at("failed").integer<std::int64_t>(),
                        optional_integer<std::int64_t>(from.at("total"))};
}

spread spread_from(const place& from) {
    if (from.size() != 3)
        from.fail("expected the least, the median and the most");
    return {from.at(std::size_t{0}).time(), from.at(std::size_t{1}).time(), from.at(std::size_t{2}).time()};
}

std::optional<repeat_record> repeats_from(const place& from) {
    if (from.is_null())
        return std::nullopt;
    repeat_record repeats{from.at("runs").integer<int>(), spread_from(from.at("wall_ns")), {}};
    const place workers = from.at("run_ns");
    for (std::size_t i = 0; i < workers.size(); ++i)
        repeats.run.push_back(workers.at(i).is_null() ? std::nullopt : std::optional(spread_from(workers.at(i))));
    return repeats;
}

} // namespace

json environment_json(const environment_record& environment) {
    return {{"xcores", environment.xcores},
            {"python", environment.python},
            {"platform", environment.platform},
            {"cpu", environment.cpu},
            {"cores", environment.cores},
            {"switch_interval_ns", optional_json(environment.switch_interval)},
            {"gil_disabled", environment.gil_disabled}};
}

environment_record environment_from(const place& from) {
    environment_record environment;
    environment.xcores = from.at("xcores").text();
    environment.python = from.at("python").text();
    environment.platform = from.at("platform").text();
    environment.cpu = from.at("cpu").text();
    environment.cores = integers(from.at("cores"));
    environment.switch_interval = optional_time(from.at("switch_interval_ns"));
    environment.gil_disabled = from.at("gil_disabled").flag();
    return environment;
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
                   {"sampling", sampling_json(from.sampling)},
                   {"items", items_json(from.items)},
                   {"repeats", repeats_json(from.repeats)},
                   {"downsampled_from", optional_json(from.downsampled_from)}};
    if (from.left_out > 0)
        result["left_out"] = from.left_out;
    return result;
}

report report_from_json(const json& document) {
    const place from(document, "");
    if (const place schema = from.at("schema"); schema.text() != report::schema)
        schema.fail("expected \"" + std::string(report::schema) + "\", not \"" + schema.text() + "\"");
    report result;
    result.kind = enumerator<worker_kind>(from.at("kind"), 4);
    result.environment = environment_from(from.at("environment"));
    result.wall = optional_time(from.at("wall_ns"));
    result.elapsed = from.at("elapsed_ns").time();
    const place workers = from.at("workers");
    for (std::size_t i = 0; i < workers.size(); ++i)
        result.workers.push_back(worker_from(workers.at(i)));
    const place gils = from.at("gils");
    for (std::size_t i = 0; i < gils.size(); ++i) {
        const place gil = gils.at(i);
        result.gils.push_back(
            {gil.at("name").text(), integers(gil.at("workers")), optional_integer<std::int64_t>(gil.at("handovers"))});
    }
    result.sampling = sampling_from(from.at("sampling"));
    result.items = items_from(from.at("items"));
    result.repeats = repeats_from(from.at("repeats"));
    result.left_out = optional_integer<std::int64_t>(from.at_if_present("left_out")).value_or(0);
    result.downsampled_from = optional_integer<std::int64_t>(from.at_if_present("downsampled_from"));
    return result;
}

} // namespace xcores::model
