// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/render/compare_table.hpp>

#include <algorithm>
#include <array>
#include <functional>

#include <xcores/model/format.hpp>
#include <xcores/render/grid.hpp>

namespace xcores::render {

namespace {

using look = grid_cell::look;
using model::nanoseconds;

constexpr std::size_t most_rows = 64;
constexpr double worth_a_column = 0.05;

std::string time_text(double nanoseconds_) {
    return model::duration(nanoseconds{static_cast<std::int64_t>(nanoseconds_)});
}

std::string time_cell(const std::optional<model::measurement>& time) {
    return time ? time_text(time->median) : std::string(model::unknown_text);
}

std::string spread_cell(const model::configuration& one, const std::optional<model::measurement>& time) {
    if (!time || one.walls.size() < 2)
        return std::string(model::unknown_text);
    return time_text(time->least) + " to " + time_text(time->most);
}

std::string speedup_cell(const model::comparison& from, const model::configuration& one) {
    const auto speedup = model::speedup_of(from, one);
    if (!speedup)
        return std::string(one.kind || one.walls.empty() ? model::unknown_text : "1");
    return model::fixed(speedup->median, 2);
}

/// An estimate is marked as one.
std::string idle_cell(const model::comparison& from, const model::configuration& one) {
    const auto idle = model::idle_speedup_of(from, one);
    return idle ? "≈ " + model::fixed(idle->median, 1) : std::string(model::unknown_text);
}

std::string startup_cell(const model::configuration& one) {
    return one.kind ? model::duration(one.startup) : "none";
}

grid_cell outcome_cell(const model::configuration& one) {
    if (!one.failure.empty())
        return {one.failure, look::failure};
    if (one.walls.empty())
        return {"not measured", look::words};
    switch (one.results) {
    case model::agreement::same:
        return {"same", look::words};
    case model::agreement::different:
        return {"different results", look::failure};
    case model::agreement::varies:
        return {"varies", look::words};
    case model::agreement::unknown:
        break;
    }
    return {std::string(model::unknown_text), look::words};
}

/// A share that is small everywhere is not worth a column: unknown columns are dropped.
template <class Share>
bool matters(const model::comparison& from, Share share) {
    return std::ranges::any_of(
        from.configurations, [&](const model::configuration& one) { return share(one).value_or(0) >= worth_a_column; });
}

std::string unbroken(std::string name) {
    for (std::size_t at = name.find(' '); at != std::string::npos; at = name.find(' ', at))
        name.replace(at, 1, "\u00a0");
    return name;
}

std::vector<grid_cell> line_of(const model::comparison& from, const model::configuration& one) {
    const auto time = model::time_of(from, one);
    return {{unbroken(model::label_of(one)), look::words},
            {time_cell(time)},
            {spread_cell(one, time)},
            {speedup_cell(from, one)},
            {idle_cell(from, one)},
            {startup_cell(one)},
            {model::duration(one.imports)},
            {one.cores_busy ? model::fixed(*one.cores_busy, 2) : std::string(model::unknown_text)},
            {model::percent(one.gil_wait)},
            {matters(from, model::core_wait_of) ? model::percent(model::core_wait_of(one)) : ""},
            {matters(from, std::mem_fn(&model::configuration::transfer)) ? model::percent(one.transfer) : ""},
            {model::bytes(one.moved_bytes)},
            {model::bytes(one.memory_bytes)},
            outcome_cell(one)};
}

/// What the column is of; empty without one.
std::string memory_text(const model::comparison& from) {
    using model::worker_kind;
    const auto known = [&](worker_kind kind) {
        return std::ranges::any_of(from.configurations, [kind](const model::configuration& one) {
            return one.kind == kind && one.memory_bytes;
        });
    };
    std::string text;
    if (known(worker_kind::subinterp))
        text = "of interpreters the growth of the notebook's process";
    if (known(worker_kind::procs))
        text += std::string(text.empty() ? "" : ", ") + "of processes all that they hold, shared pages counted once";
    return text.empty() ? "" : "Memory: " + text + ".";
}

grid grid_of(const model::comparison& from) {
    grid all;
    all.caption = model::recommendation_for(from).sentence;
    const std::string time = from.reading == model::work_reading::repeated ? "time per run" : "time";
    all.heads = {{"", look::words}, {time},
                 {"spread"},        {"speed-up"},
                 {"idle machine"},  {"start-up"},
                 {"import"},        {"cores busy"},
                 {"GIL wait"},      {"lost to others"},
                 {"moving"},        {"moved"},
                 {"memory"},        {"results", look::words}};
    for (const model::configuration& one : from.configurations)
        if (all.rows.size() < most_rows)
            all.rows.push_back(line_of(from, one));
    if (all.rows.size() < from.configurations.size())
        all.left_out = "and " + std::to_string(from.configurations.size() - all.rows.size()) + " more ways";
    drop_unknown_columns(all, 2);
    all.banner = model::disturbance_text(from);
    all.notes = {circumstances_of(from), model::reading_text(from)};
    for (std::string& note : std::array{model::agreement_text(from), idle_text(from), memory_text(from)})
        if (!note.empty())
            all.notes.push_back(std::move(note));
    return all;
}

} // namespace

std::string idle_text(const model::comparison& from) {
    const auto estimated = [&](const model::configuration& one) {
        return model::idle_speedup_of(from, one).has_value();
    };
    if (std::ranges::none_of(from.configurations, estimated))
        return "";
    return "Speed-up is the ratio of the times shown. ≈ is an estimate for an idle machine: the same times without "
           "what "
           "other programs took.";
}

std::string circumstances_of(const model::comparison& from) {
    std::string text = from.interrupted ? "Interrupted before the end of " : "";
    text += std::to_string(from.rounds) + (from.rounds == 1 ? " round" : " rounds, each way once in each round");
    if (!from.environment.python.empty())
        text += "; Python " + from.environment.python;
    const std::size_t cores = from.environment.cores.size();
    if (cores > 0)
        text += " on " + std::to_string(cores) + (cores == 1 ? " core" : " cores");
    return text + (from.rounds > 0 ? ". The times are of workers that had started already." : ".");
}

std::string html_table(const model::comparison& from) {
    return html_of(grid_of(from));
}

std::string text_table(const model::comparison& from, int columns) {
    return text_of(grid_of(from), columns);
}

} // namespace xcores::render
