// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/render/run_pair.hpp>

#include <algorithm>
#include <functional>

#include <xcores/model/certainty.hpp>
#include <xcores/model/format.hpp>
#include <xcores/model/summary.hpp>
#include <xcores/render/grid.hpp>
#include <xcores/render/svg_lanes.hpp>

namespace xcores::render {

namespace {

using look = grid_cell::look;
using model::nanoseconds;
using phase = std::optional<model::interval> model::worker_record::*;

std::optional<double> longest(const model::report& run, phase which) {
    std::optional<double> most;
    for (const model::worker_record& worker : run.workers)
        if (const auto& one = worker.*which)
            most = std::max(most.value_or(0), static_cast<double>(one->length().count()));
    return most;
}

std::optional<double> in_nanoseconds(const std::optional<nanoseconds>& time) {
    return time ? std::optional(static_cast<double>(time->count())) : std::nullopt;
}

std::optional<double> gil_wait(const model::report& run) {
    model::state_times sum;
    for (const model::worker_record& worker : run.workers)
        sum += model::times_of(worker);
    const auto share = model::gil_wait_share(sum);
    const bool tells = share && !model::sampled_percent(run, *share, sum.sampled).empty();
    return tells ? share : std::nullopt; // from few samples no figure
}

std::optional<double> memory(const model::report& run) {
    const auto sum = model::totals_of(run).memory_together();
    return sum ? std::optional(static_cast<double>(*sum)) : std::nullopt;
}

std::string as_time(double value) {
    return model::duration(nanoseconds{static_cast<std::int64_t>(value)});
}
std::string as_bytes(double value) {
    return model::bytes(static_cast<std::int64_t>(value));
}
std::string as_number(double value) {
    return model::fixed(value, 2);
}
std::string as_share(double value) {
    return model::percent(value);
}

struct figure {
    std::string name;
    std::function<std::optional<double>(const model::report&)> value;
    std::string (*words)(double);
};

std::vector<figure> all_figures() {
    using record = model::worker_record;
    return {
        {"wall time", [](const auto& run) { return std::optional(static_cast<double>(run.elapsed.count())); }, as_time},
        {"longest start-up", [](const auto& run) { return longest(run, &record::startup); }, as_time},
        {"longest import", [](const auto& run) { return longest(run, &record::imports); }, as_time},
        {"longest transfer in", [](const auto& run) { return longest(run, &record::transfer_in); }, as_time},
        {"longest run", [](const auto& run) { return longest(run, &record::run); }, as_time},
        {"longest transfer out", [](const auto& run) { return longest(run, &record::transfer_out); }, as_time},
        {"CPU time", [](const auto& run) { return in_nanoseconds(model::totals_of(run).cpu); }, as_time},
        {"cores busy", [](const auto& run) { return model::totals_of(run).cores_busy; }, as_number},
        {"waiting for the GIL", gil_wait, as_share},
        {"memory", memory, as_bytes},
    };
}

std::vector<grid_cell> line_of(const figure& what, const model::report& first, const model::report& second) {
    const auto one = what.value(first);
    const auto other = what.value(second);
    const std::string unknown(model::unknown_text);
    const bool comparable = one && other && *one > 0 && what.words != &as_share;
    return {{what.name, look::words},
            {one ? what.words(*one) : unknown},
            {other ? what.words(*other) : unknown},
            {comparable ? model::fixed(*other / *one, 2) : unknown}};
}

std::string returned(const model::report& run) {
    return std::to_string(model::totals_of(run).returned) + " of " + std::to_string(run.workers.size());
}

grid grid_of(const named_run& first, const named_run& second) {
    grid all;
    all.caption = caption_of(first, second);
    all.heads = {{"", look::words}, {first.name}, {second.name}, {"ratio"}};
    for (const figure& what : all_figures()) {
        auto line = line_of(what, first.run, second.run);
        if (line[1].text != model::unknown_text || line[2].text != model::unknown_text)
            all.rows.push_back(std::move(line));
    }
    all.rows.push_back({{"workers that returned", look::words},
                        {returned(first.run)},
                        {returned(second.run)},
                        {std::string(model::unknown_text)}});
    for (const named_run& one : {first, second})
        all.notes.push_back(one.name + ": " + model::caption_of(one.run));
    return all;
}

/// Both runs as one, for what is asked of all workers.
model::report joined(const model::report& first, const model::report& second) {
    model::report both = first;
    both.elapsed = std::max(first.elapsed, second.elapsed);
    both.workers.insert(both.workers.end(), second.workers.begin(), second.workers.end());
    for (model::gil_record gil : second.gils) {
        for (int& worker : gil.workers)
            worker += static_cast<int>(first.workers.size());
        both.gils.push_back(std::move(gil));
    }
    return both;
}

double draw_lines(canvas& on, std::string_view words, double y, const lettering& letters) {
    for (const std::string& line : wrapped(words, picture_width - 2 * margin, letters.size, letters.bold)) {
        on.text(margin, y + letters.size, line, letters);
        y += letters.size * 1.4;
    }
    return y;
}

double draw_run(canvas& on, const named_run& one, const time_scale& scale, double y) {
    const auto& colours = on.colours();
    y = draw_lines(on, one.name, y, {.size = 14, .fill = colours.ink, .bold = true});
    y = draw_lines(on, model::caption_of(one.run), y, {.size = 12, .fill = colours.faint_ink}) + 6;
    y = draw_workers(on, one.run, scale, y);
    return draw_gils(on, one.run, scale, y) + 6;
}

std::string drawn(const named_run& first, const named_run& second, const style& wanted, std::size_t columns) {
    canvas on(theme_of(wanted));
    const model::report both = joined(first.run, second.run);
    const time_scale scale{extent_of(both), columns};
    const std::string caption = caption_of(first, second);
    double y = draw_lines(on, caption, 16, {.size = 16, .fill = on.colours().ink, .bold = true}) + 8;
    if (!both.workers.empty()) {
        y = draw_legend(on, both, scale, y) + 4;
        y = draw_run(on, first, scale, y);
        y = draw_run(on, second, scale, y);
        draw_axis(on, scale, y);
        y += 26;
    }
    return on.finish(y + 10, "xcores: two runs over one time axis", caption);
}

} // namespace

std::string caption_of(const named_run& first, const named_run& second) {
    const auto a = static_cast<double>(first.run.elapsed.count());
    const auto b = static_cast<double>(second.run.elapsed.count());
    const std::string times = second.name + " took " + model::duration(second.run.elapsed) + ", " + first.name + " " +
                              model::duration(first.run.elapsed);
    const auto is_whole = [](const named_run& each) {
        return std::ranges::all_of(each.run.workers, [](const model::worker_record& worker) {
            return worker.how.kind == model::outcome_kind::returned;
        });
    };
    if (a <= 0 || b <= 0)
        return times + ".";
    if (!is_whole(first) || !is_whole(second))
        return times + "; not every worker returned, so the times do not compare.";
    return times + (a >= b ? ": " + model::fixed(a / b, 2) + " times as fast."
                           : ": " + model::fixed(b / a, 2) + " times as long.");
}

std::string html_pair(const named_run& first, const named_run& second) {
    return html_of(grid_of(first, second));
}

std::string text_pair(const named_run& first, const named_run& second, int columns) {
    return text_of(grid_of(first, second), columns);
}

std::string svg_pair(const named_run& first, const named_run& second, const style& wanted) {
    return drawn_within(wanted.largest, [&](std::size_t columns) { return drawn(first, second, wanted, columns); });
}

} // namespace xcores::render
