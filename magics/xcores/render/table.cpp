// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/render/table.hpp>

#include <algorithm>

#include <xcores/model/format.hpp>
#include <xcores/model/progress.hpp>
#include <xcores/model/summary.hpp>
#include <xcores/render/svg_lanes.hpp>

namespace xcores::render {

namespace {

using model::nanoseconds;

constexpr std::size_t most_rows = 64;
constexpr std::size_t most_gils = 4;

/// "item 3 failed": in this worker, before any other.
std::string item_failure_in(const model::report& from, const model::worker_record& worker) {
    if (!from.items || !from.items->first_failure || from.items->first_failure->worker != worker.index)
        return "";
    return "item " + model::count(from.items->first_failure->index) + " failed";
}

bool stopped_for_an_item(const model::worker_record& worker) {
    return worker.how.kind == model::outcome_kind::interrupted && worker.how.message == model::stopped_for_an_item;
}

std::string outcome_of(const model::report& from, const model::worker_record& worker) {
    if (worker.how.kind == model::outcome_kind::pending)
        return "still running";
    std::string event = stopped_for_an_item(worker) ? "stopped" : event_of(worker);
    if (const std::string failure = item_failure_in(from, worker); !failure.empty())
        event = event.empty() ? failure : failure + ": " + event;
    if (worker.items)
        return model::items_text(*worker.items) + (event.empty() ? "" : "; " + event);
    return event.empty() ? (worker.result.empty() ? "None" : worker.result) : event;
}

std::string transfer_of(const model::worker_record& worker) {
    if (!worker.transfer_in && !worker.transfer_out)
        return std::string(model::unknown_text);
    nanoseconds sum{};
    for (const auto& phase : {worker.transfer_in, worker.transfer_out})
        sum += phase ? phase->length() : nanoseconds{};
    return model::duration(sum);
}

/// From few samples no two-digit figure.
std::string sampled_share(const model::report& from, const std::optional<double>& share, nanoseconds time) {
    const std::string text = share ? model::sampled_percent(from, *share, time) : "";
    return text.empty() ? std::string(model::unknown_text) : text;
}

std::string gil_wait_of(const model::report& from, const model::worker_record& worker) {
    const bool is_process = worker.lane == model::lane_kind::process;
    const model::state_times times = model::times_of(worker);
    return sampled_share(from, is_process ? std::nullopt : model::gil_wait_share(times), times.sampled);
}

std::string startup_of(const model::worker_record& worker) {
    // No start-up is a warm worker; but one that never ran has not been shown to be one.
    if (worker.lane != model::lane_kind::worker)
        return std::string(model::unknown_text);
    if (!worker.startup)
        return worker.run ? "warm" : std::string(model::unknown_text);
    return model::duration(worker.startup->length());
}

std::string import_of(const model::worker_record& worker) {
    return worker.imports ? model::duration(worker.imports->length()) : std::string(model::unknown_text);
}

std::string run_of(const model::report& from, const model::worker_record& worker) {
    const auto index = static_cast<std::size_t>(worker.index);
    if (from.repeats && index < from.repeats->run.size() && from.repeats->run[index])
        return model::spread_text(*from.repeats->run[index]);
    return worker.run ? model::duration(worker.run->length()) : std::string(model::unknown_text);
}

std::string held_of(const model::report& from, const model::worker_record& worker) {
    const model::state_times times = model::times_of(worker);
    if (worker.lane != model::lane_kind::python_thread || times.sampled <= nanoseconds{0})
        return std::string(model::unknown_text);
    const auto share = [&](nanoseconds time) {
        return std::min(1.0, static_cast<double>(time.count()) / static_cast<double>(times.sampled.count()));
    };
    const model::bounds held{share(times.gil_held), share(times.gil_held + times.running_unclear)};
    const std::string text = model::sampled_percent(from, held, times.sampled);
    return text.empty() ? std::string(model::unknown_text) : text;
}

row row_of(const model::report& from, const model::worker_record& worker) {
    return {.label = worker.lane == model::lane_kind::worker ? std::to_string(worker.index) : worker.name,
            .returned = item_failure_in(from, worker).empty() &&
                        (worker.how.kind == model::outcome_kind::returned || stopped_for_an_item(worker)),
            .outcome = outcome_of(from, worker),
            .figures = {startup_of(worker), import_of(worker), transfer_of(worker), run_of(from, worker),
                        model::duration(worker.cpu), model::percent(model::cpu_share(worker)),
                        gil_wait_of(from, worker), held_of(from, worker), model::bytes(worker.memory_bytes)}};
}

std::string holder_name(const model::report& from, int position) {
    const bool named = from.kind == model::worker_kind::cores && position < std::ssize(from.workers);
    return named ? from.workers[static_cast<std::size_t>(position)].name : "worker " + std::to_string(position);
}

/// " (50 % worker 0, 49 % worker 1)": shares of the time, adding up to the share for which it was held.
std::string holders(const model::report& from, const model::gil_record& gil, double held) {
    const std::vector<double> shares = model::holders_of(from, gil);
    std::string text;
    for (std::size_t i = 0; i < shares.size() && i < most_gils; ++i)
        text += (i == 0 ? " (" : ", ") + model::percent(shares[i] * held) + " " + holder_name(from, gil.workers[i]);
    return text.empty() ? text : text + (shares.size() > most_gils ? ", …)" : ")");
}

std::string gil_line(const model::report& from, const model::gil_record& gil) {
    const auto held = model::held_share(from, gil);
    const std::string words = model::held_words(from, gil);
    const bool is_a_workers_own = gil.workers.size() == 1 && from.kind != model::worker_kind::cores;
    const std::string whose =
        is_a_workers_own ? "worker " + std::to_string(gil.workers.front()) : with_article(gil.name);
    std::string text = "GIL of " + whose + ": " + (words.empty() ? "who held it is unknown" : words);
    const nanoseconds running = model::totals_of(from).running.value_or(model::interval{}).length();
    const bool many = model::samples_in(from, running).value_or(model::enough_samples) >= model::enough_samples;
    if (gil.workers.size() > 1 && held && many)
        text += holders(from, gil, std::min(1.0, *held));
    if (gil.workers.size() > 1 && gil.handovers)
        text += ", " + model::count(*gil.handovers) + (*gil.handovers == 1 ? " hand-over" : " hand-overs");
    return text;
}

std::string moved(const std::optional<model::traffic>& what, std::string_view way) {
    if (!what)
        return "";
    const std::string shared = what->shared > 0 ? " and " + model::bytes(what->shared) + " shared" : "";
    return model::bytes(what->copied) + " copied" + shared + std::string(way);
}

/// "data: 12 kB copied and 200 MB shared in, 1 kB copied out"; empty when nothing is known.
std::string data_line(const model::totals& sum) {
    const std::string in = moved(sum.bytes_in, " in");
    const std::string out = moved(sum.bytes_out, " out");
    return in.empty() && out.empty() ? "" : "data: " + in + (in.empty() || out.empty() ? "" : ", ") + out;
}

std::vector<std::string> totals_in(const model::report& from) {
    const model::totals sum = model::totals_of(from);
    std::string line =
        (from.wall ? "wall time " : "so far ") + model::duration(from.elapsed) + model::running_words(from);
    if (sum.cores_busy)
        line += "; " + model::fixed(*sum.cores_busy, 2) + " of " + std::to_string(sum.speedup_bound) +
                (sum.speedup_bound == 1 ? " core" : " cores") + " busy";
    if (sum.memory_bytes)
        line += "; memory " + model::bytes(*sum.memory_bytes);
    if (sum.memory_bytes && from.kind == model::worker_kind::subinterp)
        line += " (growth of the notebook's process)";
    if (sum.proportional_bytes)
        line += " (" + model::bytes(*sum.proportional_bytes) + " with shared pages counted once)";
    std::vector<std::string> lines{line};
    for (auto more : {data_line(sum), model::progress_text(from), model::repeats_text(from)})
        if (!more.empty())
            lines.push_back(std::move(more));
    const auto before_gils = lines.size();
    for (const model::gil_record& gil : from.gils)
        if (gil.workers.size() > 1 || from.gils.size() <= most_gils)
            lines.push_back(gil_line(from, gil));
    if (from.kind == model::worker_kind::cores)
        lines.emplace_back("threads and processes that lived for less than 30 ms may be missing");
    if (!from.gils.empty() && lines.size() == before_gils)
        lines.push_back("every worker had a GIL of its own");
    return lines;
}

/// A column that knows nothing of anybody is no column.
void drop_unknown_columns(table& from) {
    for (std::size_t i = from.heads.size(); i-- > 0;) {
        const auto known = [i](const row& one) { return one.figures[i] != model::unknown_text; };
        if (std::ranges::any_of(from.rows, known))
            continue;
        const auto column = static_cast<std::ptrdiff_t>(i);
        from.heads.erase(from.heads.begin() + column);
        for (row& one : from.rows)
            one.figures.erase(one.figures.begin() + column);
    }
}

/// Workers of an executor: they got no cell and have no results.
bool served_calls(const model::report& from) {
    return !from.workers.empty() && std::ranges::none_of(from.workers, [](const model::worker_record& worker) {
        return worker.transfer_in || worker.items || !worker.result.empty() ||
               worker.how.kind != model::outcome_kind::returned;
    });
}

} // namespace

std::string label_of(const model::worker_record& worker) {
    return worker.lane == model::lane_kind::worker ? "worker " + std::to_string(worker.index) : worker.name;
}

std::string_view lane_noun(const model::report& from) {
    return from.kind == model::worker_kind::cores ? "thread or process" : "worker";
}

std::string_view words_for(model::lane_kind kind) {
    switch (kind) {
    case model::lane_kind::python_thread:
        return "Python thread";
    case model::lane_kind::native_thread:
        return "native thread, never seen to run Python";
    case model::lane_kind::process:
        return "process, of whose GIL nothing is known from here";
    case model::lane_kind::worker:
        break;
    }
    return "worker";
}

std::string with_article(const std::string& name) {
    const bool numbered = !name.empty() && name.back() >= '0' && name.back() <= '9';
    return numbered ? name : "the " + name;
}

table table_of(const model::report& from) {
    table result;
    result.caption = model::caption_of(from);
    result.first_head = lane_noun(from);
    result.has_outcomes = from.kind != model::worker_kind::cores && !served_calls(from);
    result.heads = {"start-up", "import", "transfer", "run", "CPU", "CPU / run", "GIL wait", "GIL held", "memory"};
    for (const model::worker_record& worker : from.workers) {
        row next = row_of(from, worker);
        if (result.rows.size() < most_rows || (!next.returned && result.rows.size() < 2 * most_rows))
            result.rows.push_back(std::move(next));
        else
            ++result.left_out;
    }
    drop_unknown_columns(result);
    result.totals = totals_in(from);
    return result;
}

} // namespace xcores::render
