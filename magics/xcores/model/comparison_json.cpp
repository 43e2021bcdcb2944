// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/model/comparison.hpp>
#include <xcores/model/json_parts.hpp>

namespace xcores::model {

namespace {

json configuration_json(const configuration& one) {
    json walls = json::array();
    for (const nanoseconds wall : one.walls)
        walls.push_back(wall.count());
    json core_waits = json::array();
    for (const nanoseconds wait : one.core_waits)
        core_waits.push_back(wait.count());
    json result = {{"kind", one.kind ? json(name_of(*one.kind)) : json(nullptr)},
                   {"workers", one.workers},
                   {"wall_ns", std::move(walls)},
                   {"core_wait_ns", std::move(core_waits)},
                   {"startup_ns", optional_json(one.startup)},
                   {"moved_bytes", optional_json(one.moved_bytes)},
                   {"memory_bytes", optional_json(one.memory_bytes)},
                   {"cores_busy", optional_json(one.cores_busy)},
                   {"transfer", optional_json(one.transfer)},
                   {"gil_wait", optional_json(one.gil_wait)},
                   {"gil_held", optional_json(one.gil_held)},
                   {"blocked", optional_json(one.blocked)},
                   {"without_gil", optional_json(one.without_gil)},
                   {"results", name_of(one.results)},
                   {"failure", one.failure}};
    if (one.imports) // comparisons from before it was measured go without it
        result["import_ns"] = optional_json(one.imports);
    return result;
}

configuration configuration_from(const place& from) {
    configuration one;
    if (const place kind = from.at("kind"); !kind.is_null())
        one.kind = enumerator<worker_kind>(kind, 3);
    one.workers = from.at("workers").integer<int>();
    const place walls = from.at("wall_ns");
    for (std::size_t i = 0; i < walls.size(); ++i)
        one.walls.push_back(walls.at(i).time());
    const place core_waits = from.at("core_wait_ns");
    for (std::size_t i = 0; i < core_waits.size(); ++i)
        one.core_waits.push_back(core_waits.at(i).time());
    one.startup = optional_time(from.at("startup_ns"));
    one.imports = optional_time(from.at_if_present("import_ns"));
    one.moved_bytes = optional_integer<std::int64_t>(from.at("moved_bytes"));
    one.memory_bytes = optional_integer<std::int64_t>(from.at("memory_bytes"));
    one.cores_busy = optional_number(from.at("cores_busy"));
    one.transfer = optional_number(from.at("transfer"));
    one.gil_wait = optional_number(from.at("gil_wait"));
    one.gil_held = optional_number(from.at("gil_held"));
    one.blocked = optional_number(from.at("blocked"));
    one.without_gil = optional_number(from.at("without_gil"));
    one.results = enumerator<agreement>(from.at("results"), 4);
    one.failure = from.at("failure").text();
    return one;
}

} // namespace

json to_json(const comparison& from) {
    json configurations = json::array();
    for (const configuration& one : from.configurations)
        configurations.push_back(configuration_json(one));
    const recommendation use = recommendation_for(from);
    return {{"schema", comparison::schema},
            {"environment", environment_json(from.environment)},
            {"reading", name_of(from.reading)},
            {"rounds", from.rounds},
            {"interrupted", from.interrupted},
            {"configurations", std::move(configurations)},
            {"recommendation",
             {{"kind", use.kind ? json(name_of(*use.kind)) : json(nullptr)},
              {"workers", use.workers},
              {"why", name_of(use.why)},
              {"sentence", use.sentence}}}};
}

comparison comparison_from_json(const json& document) {
    const place from(document, "", "comparison");
    if (const place schema = from.at("schema"); schema.text() != comparison::schema)
        schema.fail("expected \"" + std::string(comparison::schema) + "\", not \"" + schema.text() + "\"");
    comparison all;
    all.environment = environment_from(from.at("environment"));
    all.reading = enumerator<work_reading>(from.at("reading"), 4);
    all.rounds = from.at("rounds").integer<int>();
    all.interrupted = from.at("interrupted").flag();
    const place configurations = from.at("configurations");
    for (std::size_t i = 0; i < configurations.size(); ++i)
        all.configurations.push_back(configuration_from(configurations.at(i)));
    return all;
}

} // namespace xcores::model
