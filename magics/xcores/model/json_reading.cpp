// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/model/json.hpp>
#include <xcores/model/json_parts.hpp>

namespace xcores::model {
namespace {

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
    worker.imports = optional_interval(from.at_if_present("import_ns"));
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
    if (const auto shares = from.at_if_present("memory_shares"); !shares.is_null()) {
        worker.proportional_bytes = optional_integer<std::int64_t>(shares.at("proportional_bytes"));
        worker.unique_bytes = optional_integer<std::int64_t>(shares.at("unique_bytes"));
    }
    worker.bytes_in = optional_traffic(from.at_if_present("bytes_in"));
    worker.bytes_out = optional_traffic(from.at_if_present("bytes_out"));
    worker.how = outcome_from(from.at("outcome"));
    worker.result = from.at("result").text();
    worker.spans = spans_from(from.at("spans"));
    return worker;
}

void read_into(std::int64_t& count, const place& from) {
    count = from.integer<std::int64_t>();
}

void read_into(nanoseconds& time, const place& from) {
    time = from.time();
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
    if (const place recorded = from.at_if_present("recorded"); !recorded.is_null())
        for_each_field(sampling.recorded.emplace(),
                       [&recorded](const char* name, auto& value) { read_into(value, recorded.at(name)); });
    return sampling;
}

std::optional<item_failure> failure_from(const place& from) {
    if (from.is_null())
        return std::nullopt;
    return item_failure{from.at("index").integer<std::int64_t>(), from.at("worker").integer<int>(),
                        from.at("what").text()};
}

std::optional<items_record> items_from(const place& from) {
    if (from.is_null())
        return std::nullopt;
    return items_record{from.at("done").integer<std::int64_t>(), from.at("failed").integer<std::int64_t>(),
                        optional_integer<std::int64_t>(from.at("total")),
                        failure_from(from.at_if_present("first_failure"))};
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

std::optional<sampling_record> sampling_from_json(const json& from) {
    return sampling_from(place(from, "sampling"));
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
