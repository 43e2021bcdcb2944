// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/executors/usage_json.hpp>

#include <optional>
#include <stdexcept>
#include <string>

#include <xcores/model/json.hpp>

namespace xcores::executors {
namespace {

using nlohmann::json;
using std::chrono::nanoseconds;

template <typename T>
json value_of(const std::optional<T>& value) {
    return value ? json(*value) : json();
}

json value_of(const std::optional<nanoseconds>& value) {
    return value ? json(value->count()) : json();
}

template <typename T>
std::optional<T> read(const json& fields, const char* key) {
    const auto& value = fields.at(key);
    return value.is_null() ? std::nullopt : std::optional<T>(value.get<T>());
}

std::optional<nanoseconds> read_time(const json& fields, const char* key) {
    const auto value = read<std::int64_t>(fields, key);
    return value ? std::optional(nanoseconds{*value}) : std::nullopt;
}

} // namespace

json to_fields(const run::usage& used, const run::reply& answer) {
    json fields = {{"run_start", used.run ? json(used.run->start.count()) : json()},
                   {"run_end", used.run ? json(used.run->end.count()) : json()},
                   {"cpu", value_of(used.cpu)},
                   {"queue_wait", value_of(used.queue_wait)},
                   {"voluntary", value_of(used.voluntary_switches)},
                   {"involuntary", value_of(used.involuntary_switches)},
                   {"minor_faults", value_of(used.minor_faults)},
                   {"major_faults", value_of(used.major_faults)},
                   {"migrations", value_of(used.migrations)},
                   {"memory", value_of(used.memory_bytes)},
                   {"proportional", value_of(used.proportional_bytes)},
                   {"unique", value_of(used.unique_bytes)},
                   {"handovers_before", value_of(used.handovers_before)},
                   {"handovers_after", value_of(used.handovers_after)},
                   {"outcome", answer.how.kind},
                   {"type", answer.how.type},
                   {"message", answer.how.message},
                   {"traceback", answer.how.traceback},
                   {"code", value_of(answer.how.code)},
                   {"summary", answer.summary},
                   {"sampling", model::to_json(used.sampling)}};
    return fields;
}

run::usage usage_from(const json& fields) {
    run::usage used;
    const auto start = read_time(fields, "run_start");
    const auto end = read_time(fields, "run_end");
    if (start && end && *start <= *end)
        used.run = model::interval{*start, *end};
    used.cpu = read_time(fields, "cpu");
    used.queue_wait = read_time(fields, "queue_wait");
    used.voluntary_switches = read<std::int64_t>(fields, "voluntary");
    used.involuntary_switches = read<std::int64_t>(fields, "involuntary");
    used.minor_faults = read<std::int64_t>(fields, "minor_faults");
    used.major_faults = read<std::int64_t>(fields, "major_faults");
    used.migrations = read<std::int64_t>(fields, "migrations");
    used.memory_bytes = read<std::int64_t>(fields, "memory");
    used.proportional_bytes = read<std::int64_t>(fields, "proportional");
    used.unique_bytes = read<std::int64_t>(fields, "unique");
    used.handovers_before = read<std::uint64_t>(fields, "handovers_before");
    used.handovers_after = read<std::uint64_t>(fields, "handovers_after");
    used.sampling = model::sampling_from_json(fields.at("sampling"));
    return used;
}

model::outcome_kind outcome_kind_of(std::int64_t number) {
    if (number <= static_cast<std::int64_t>(model::outcome_kind::pending) ||
        number > static_cast<std::int64_t>(model::outcome_kind::failed))
        throw std::runtime_error("a worker process sent an unknown outcome");
    return static_cast<model::outcome_kind>(number);
}

model::outcome outcome_of(const os::exit_status& status) {
    using enum model::outcome_kind;
    if (status.signal)
        return {crashed, {}, os::signal_name(*status.signal), {}, status.signal, false};
    if (status.code)
        return {exited, {}, "exit code " + std::to_string(*status.code), {}, status.code, false};
    return {exited, {}, "exit code unknown", {}, std::nullopt, false};
}

run::reply reply_from(const json& fields) {
    run::reply answer;
    answer.how.kind = outcome_kind_of(fields.at("outcome").get<std::int64_t>());
    answer.how.type = fields.at("type");
    answer.how.message = fields.at("message");
    answer.how.traceback = fields.at("traceback");
    answer.how.code = read<int>(fields, "code");
    answer.summary = fields.at("summary");
    return answer;
}

} // namespace xcores::executors
