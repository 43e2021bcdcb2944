// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <xcores/model/report.hpp>
#include <xcores/render/activity.hpp>

/// What a report exported for another tool's viewer shows, whichever the file format: the phases and states of each
/// worker, who held each GIL, who ran on each core, and facts about the run. Every string is safe to show.
namespace xcores::render {

struct named_phase {
    std::string_view name; ///< "start-up", "import", "transfer in", "run", "transfer out"
    model::nanoseconds start{};
    model::nanoseconds end{};
};

inline constexpr std::string_view run_phase = "run";

/// The known phases of a worker, in order of start.
std::vector<named_phase> phases_of(const model::worker_record&);

/// The worker's spans within its run, cut at its start and end, without empty ones: those that `model::times_of` adds
/// up. None where the run is unknown.
std::vector<model::span> spans_in_run(const model::worker_record&);

/// Which worker held a GIL or ran on a core when. The category of a stretch is a position in `report::workers`; one
/// past the last means that it is unknown who it was.
struct occupancy {
    std::string name; ///< "GIL of the main interpreter", "core 3"
    std::vector<stretch> stretches;
};

/// One for each GIL, as the picture shows them.
std::vector<occupancy> gil_occupancies(const model::report&);

/// One for each core that a worker was seen on, in order of their numbers.
std::vector<occupancy> core_occupancies(const model::report&);

/// "worker 0", the name of a thread or process, or "unknown", for a category of an `occupancy`.
std::string occupant(const model::report&, std::size_t category);

/// `label_of`, safe to show.
std::string shown_label(const model::worker_record&);

/// "thread", "interpreter", "process"; of a lane that is no worker what it is.
std::string_view kind_words(const model::report&, const model::worker_record&);

/// "worker 0 (interpreter)", or the name of a thread or process.
std::string track_name(const model::report&, const model::worker_record&);

/// The operating system's process in which the worker is: "worker 0" for a process of its own, else that of the cell.
std::string process_name(const model::report&, const model::worker_record&);

/// "%%threads 2", "%%cores".
std::string title_of(const model::report&);

/// "returned", "ZeroDivisionError: division by zero"; empty while it runs, and for what is no worker and did not fail.
std::string outcome_label(const model::worker_record&);

/// `visible` for text of several lines.
std::string visible_lines(std::string_view);

/// What is known of how the user's code ended, under the names that it has in a saved report.
nlohmann::json outcome_arguments(const model::outcome&);

/// A figure of a worker under the name that it has in a saved report, which ends in its unit: `cpu_ns`, `memory_bytes`;
/// counts have none.
struct figure {
    std::string_view name;
    std::optional<std::int64_t> value;
};

std::vector<figure> figures_of(const model::worker_record&);

/// Label and words: versions, machine, what ran and for how long, how it was recorded, GILs, items.
std::vector<std::pair<std::string, std::string>> facts_about(const model::report&);

/// Rows in each of which nothing overlaps. Viewers show one thing at a time in a row, and two samples may disagree for
/// a moment about who was on a core.
template <typename Slice>
std::vector<std::vector<Slice>> rows_without_overlap(const std::vector<Slice>& in_order_of_start) {
    std::vector<std::vector<Slice>> rows(1);
    for (const Slice& next : in_order_of_start) {
        std::size_t row = 0;
        while (row < rows.size() && !rows[row].empty() && next.start < rows[row].back().end)
            ++row;
        if (row == rows.size())
            rows.emplace_back();
        rows[row].push_back(next);
    }
    return rows;
}

/// The name of such a row: "core 3", "core 3 (2)".
std::string row_name(const std::string& name, std::size_t row);

} // namespace xcores::render
