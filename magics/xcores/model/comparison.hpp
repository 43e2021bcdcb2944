// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include <xcores/model/report.hpp>

/// The same cell run in several ways, in turns: serially, and on so many workers of each kind. Plain values and the
/// figures derived from them. Refuses to know who ran it; unknown is empty, never zero.
namespace xcores::model {

/// How the work of a cell depends on the number of workers, and so what is compared with what.
enum class work_reading : std::uint8_t {
    divided,  ///< the cell reads `workers`: all workers together do the work once
    numbered, ///< the cell reads `worker` only: every worker has a part of its own, serial is one part after the other
    repeated, ///< neither: every worker does all of the work, and more workers do more of it
    mapped,   ///< once for each item, and the workers share the items out: together they do the work once
};

/// Whether what a configuration returned is what it was compared with.
enum class agreement : std::uint8_t {
    unknown,
    same,
    different,
    varies, ///< it differs from round to round, as random numbers do: nothing can be said of it
};

/// One way of running the cell. Shares are those of the workers' run time, over all rounds.
struct configuration {
    std::optional<worker_kind> kind; ///< empty: serial, in the notebook's own interpreter
    int workers = 1;                 ///< serial: so many parts, one after the other
    std::vector<nanoseconds> walls;  ///< one a round, in order; without the start-up of workers and their imports
    /// One a round: how much longer it took because other programs had the cores; see competition.hpp. Shorter than
    /// `walls`: unknown.
    std::vector<nanoseconds> core_waits;

    std::optional<nanoseconds> startup;       ///< until all its workers were there, when they were new
    std::optional<nanoseconds> imports;       ///< the longest time in which one imported what its data needs
    std::optional<std::int64_t> moved_bytes;  ///< of values, in and out in one round, copied or shared
    std::optional<std::int64_t> memory_bytes; ///< of all workers, shared pages counted once
    std::optional<double> cores_busy;
    std::optional<double> transfer; ///< share of the wall time in which nobody ran: data was on its way
    std::optional<double> gil_wait;
    std::optional<double> gil_held; ///< of the GIL that most workers share
    std::optional<double> blocked;
    std::optional<double> without_gil; ///< of the time spent running

    agreement results = agreement::unknown;
    std::string failure; ///< one line; empty: it returned in every round

    bool operator==(const configuration&) const = default;
};

struct comparison {
    static constexpr std::string_view schema = "xcores.comparison/1";

    environment_record environment;
    work_reading reading = work_reading::repeated;
    int rounds = 0; ///< how many were wanted
    bool interrupted = false;
    std::vector<configuration> configurations; ///< serial first

    bool operator==(const comparison&) const = default;
};

/// Adds what a run on workers of this configuration showed, as its next round.
void add_round(configuration&, const report&);

/// The middle of several measurements of the same thing, and how far they lie apart.
struct measurement {
    double least = 0;
    double median = 0;
    double most = 0;
};

/// In nanoseconds; empty when there was no round. Divided by the work done, if workers do more of it.
std::optional<measurement> time_of(const comparison&, const configuration&);

/// Serial time divided by that of this configuration, both as time_of() has them; least and most are of single rounds.
/// Empty where a round is missing.
std::optional<measurement> speedup_of(const comparison&, const configuration&);

/// Speed-up divided by workers.
std::optional<double> efficiency_of(const comparison&, const configuration&);

/// Share of all rounds that other programs took.
std::optional<double> core_wait_of(const configuration&);

/// The most that core_wait_of() tells of any configuration.
double disturbance_of(const comparison&);

/// From here on a comparison is disturbed, and figures for an idle machine are worth showing.
inline constexpr double disturbing = 0.05;

/// The speed-up to be expected where no other program runs: as measured, without the time that others took. An
/// estimate, by the same rule for every number of workers. Empty where nothing disturbed, or where it is unknown.
std::optional<measurement> idle_speedup_of(const comparison&, const configuration&);

/// What to use for this cell.
struct recommendation {
    enum class cause : std::uint8_t {
        nothing_measured, ///< no kind could run it, or nothing was finished
        parallel_python,  ///< Python code that gains from GILs of its own
        waiting,          ///< the workers mostly wait, in all kinds alike
        shared_gil_free,  ///< threads are enough: the work lets the GIL go
        data,             ///< moving the data costs more than the work saves
        too_short,        ///< starting a run takes longer than the cell
        no_gain,          ///< nothing was faster
        faster,           ///< measured, without a reason in the figures
        disturbed, ///< other programs had the cores, and what was measured is not what an idle machine would show
    };
    std::optional<worker_kind> kind; ///< empty: stay serial, or nothing measured
    int workers = 1;
    cause why = cause::nothing_measured;
    std::string sentence;
};

recommendation recommendation_for(const comparison&);

/// "The cell reads `workers`: …": what the speed-up compares.
std::string reading_text(const comparison&);

/// "the results differ from run to run …": why they cannot be compared; empty where they can.
std::string variation_text(const comparison&);

/// What was compared of the results, and what came out.
std::string agreement_text(const comparison&);

/// Whether other programs disturbed the measurement; empty where it was quiet. To be read before anything else.
std::string disturbance_text(const comparison&);

/// "serial", "threads 2"
std::string label_of(const configuration&);

std::string_view name_of(work_reading);
std::string_view name_of(agreement);
std::string_view name_of(recommendation::cause);

/// The recommendation is written for those who read the file; it is not read back.
nlohmann::json to_json(const comparison&);

/// Failure: std::invalid_argument naming the key.
comparison comparison_from_json(const nlohmann::json&);

} // namespace xcores::model
