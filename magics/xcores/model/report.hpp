// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// What happened in one run of one cell on several workers: plain values, filled by `run`, read by `render`.
/// Refuses to know how a run is made or shown. An empty optional means "unknown", never zero. All times are relative to
/// the start of the run (`nanoseconds{0}` is the moment the plan was accepted) on the monotonic clock.
namespace xcores::model {

using std::chrono::nanoseconds;

/// How the workers are isolated from each other. `cores` is a run without workers of ours: the lanes of its report are
/// whatever threads and processes there were while a cell ran in the notebook itself.
enum class worker_kind : std::uint8_t { threads, subinterp, procs, cores };

/// What a lane of the report is. Workers are known by their index; all others have a name.
enum class lane_kind : std::uint8_t {
    worker,
    python_thread, ///< a thread of the notebook's process that ran Python
    native_thread, ///< one that was never seen to: of BLAS, a compressor, Arrow; it never holds a GIL
    process,       ///< below the notebook's; `cpu` is that of all its threads, and its GIL is unknown
};

/// subinterp: a GIL for each interpreter, or the main interpreter's for all.
enum class gil_choice : std::uint8_t { own, shared };

/// procs: each process started anew, or forked from one that holds a started interpreter and the inputs.
enum class start_method : std::uint8_t { spawn, forkserver };

/// What a worker's thread was doing at one sample.
enum class thread_state : std::uint8_t {
    unknown,
    running,      ///< on a core
    waiting_gil,  ///< off core, in the queue for its interpreter's GIL
    waiting_core, ///< runnable, but another thread had the core
    blocked,      ///< off core of its own will: sleep, I/O, a lock
};

enum class gil_state : std::uint8_t { unknown, not_held, held };

/// A stretch of time over which every sample said the same. Spans of a worker are in order and do not overlap.
struct span {
    nanoseconds start{};
    nanoseconds end{};
    thread_state state = thread_state::unknown;
    gil_state gil = gil_state::unknown;
    int core = -1; ///< number of the core (as in /proc/cpuinfo), -1 when unknown

    bool operator==(const span&) const = default;
};

struct interval {
    nanoseconds start{};
    nanoseconds end{};

    nanoseconds length() const { return end - start; }
    bool operator==(const interval&) const = default;
};

enum class outcome_kind : std::uint8_t {
    pending,     ///< the run is still going on
    returned,    ///< ran to its end
    raised,      ///< an exception left the cell
    exited,      ///< SystemExit, or the process ended by itself with an exit code
    crashed,     ///< the process was ended by a signal it did not expect
    timed_out,   ///< stopped because the time limit was reached
    interrupted, ///< stopped because the user asked
    failed,      ///< xcores could not run the code: no worker, or data that cannot be sent
};

/// How the user's code ended in one worker.
struct outcome {
    outcome_kind kind = outcome_kind::pending;
    std::string type;    ///< raised: the exception's class, "ZeroDivisionError"
    std::string message; ///< one line for people: the exception's text, "exit code 3", "signal 11 (Segmentation fault)"
    std::string traceback;   ///< raised: the worker's own traceback, lines ending in '\n'; may be empty
    std::optional<int> code; ///< exited: the exit code; crashed: the signal's number
    bool abandoned = false; ///< the worker did not stop when asked; it was left behind and is replaced for the next run

    bool operator==(const outcome&) const = default;
};

/// `outcome::message` of a worker that had to stop for the failure of an item that another one ran.
inline constexpr std::string_view stopped_for_an_item = "stopped because an item failed";

/// Imports that took less time than this are no phase of their own.
inline constexpr nanoseconds shortest_import = std::chrono::milliseconds{1};

/// How many bytes of values went one way.
struct traffic {
    std::int64_t copied = 0;
    std::int64_t shared = 0; ///< in buffers that the other side looks at where they are

    bool operator==(const traffic&) const = default;
};

struct worker_record {
    int index = 0;
    lane_kind lane = lane_kind::worker;
    std::string name;            ///< "MainThread", "native: python3 4711", "process 4712 python3"; empty: a worker
    std::int64_t process_id = 0; ///< 0 when unknown
    std::int64_t native_thread_id = 0; ///< 0 when unknown

    std::optional<interval> startup; ///< empty: the worker was already there (warm)
    /// The import of modules that its data needs. It alternates with the transfer: this is the sum of the times, put
    /// before it. Empty: nothing was imported, or in less than `shortest_import`, which counts as transfer.
    std::optional<interval> imports;
    std::optional<interval> transfer_in;
    std::optional<interval> run;
    std::optional<interval> transfer_out;

    std::optional<nanoseconds> cpu;        ///< CPU time of the worker's thread during `run`
    std::optional<nanoseconds> queue_wait; ///< time runnable without a core during `run`, from the operating system
    std::optional<std::int64_t> voluntary_switches;
    std::optional<std::int64_t> involuntary_switches;
    std::optional<std::int64_t> minor_faults; ///< pages that were in memory and had only to be mapped
    std::optional<std::int64_t> major_faults; ///< pages that had to be read from a disk
    std::optional<std::int64_t> migrations;   ///< moves from one core to another
    std::optional<std::int64_t>
        memory_bytes; ///< what this worker costs: process: resident memory; else growth of the process
    std::optional<std::int64_t>
        proportional_bytes;                   ///< process: resident memory, pages shared with others counted in parts
    std::optional<std::int64_t> unique_bytes; ///< process: of it what no other process shares

    std::optional<traffic> bytes_in;
    std::optional<traffic> bytes_out;

    std::optional<std::int64_t> items; ///< of a mapped cell: how many this worker has done; else empty

    outcome how;
    std::string result;      ///< short repr of the value of the cell's last expression; empty: None or no value
    std::string open_line;   ///< while it runs: the line that it has begun to print and not ended
    std::vector<span> spans; ///< from the sampler; empty: not sampled

    bool operator==(const worker_record&) const = default;
};

/// One GIL and the workers that share it.
struct gil_record {
    std::string name;                      ///< "main interpreter", "interpreter 3", "process 4711"
    std::vector<int> workers;              ///< indices into report::workers
    std::optional<std::int64_t> handovers; ///< exact count during the run, from CPython's own counter

    bool operator==(const gil_record&) const = default;
};

/// What was recorded event by event instead of sampled; sums over all workers.
struct recorded_events {
    std::int64_t switches = 0;     ///< a worker got a core so often
    std::int64_t preemptions = 0;  ///< a worker lost its core to another thread so often
    std::int64_t acquisitions = 0; ///< a worker took its GIL so often
    nanoseconds longest_wait{};    ///< for a GIL
    nanoseconds sampled{};         ///< for so long a worker was sampled all the same, to bound the cost

    bool operator==(const recorded_events&) const = default;
};

/// Calls `visit(name, value)` for each of its fields, a count or a time: under these names they stand in JSON.
template <typename Record, typename Visitor>
void for_each_field(Record& of, Visitor&& visit) {
    visit("switches", of.switches);
    visit("preemptions", of.preemptions);
    visit("acquisitions", of.acquisitions);
    visit("longest_wait_ns", of.longest_wait);
    visit("sampled_ns", of.sampled);
}

/// What the sampler did and what it cost.
struct sampling_record {
    nanoseconds period{};                       ///< as asked for
    std::optional<nanoseconds> widest_period{}; ///< as it became, where sampling slowed down to stay within its budget
    std::int64_t ticks = 0;
    std::int64_t missed = 0;                   ///< ticks that fell due while an earlier one was late
    nanoseconds cost{};                        ///< CPU time of the sampler threads, all processes together
    std::optional<nanoseconds> latest{};       ///< the worst lateness of a tick
    std::optional<recorded_events> recorded{}; ///< empty: all was sampled

    bool operator==(const sampling_record&) const = default;
};

/// One item that gave no result.
struct item_failure {
    std::int64_t index = 0;
    int worker = 0;
    std::string what; ///< one line: "ZeroDivisionError: division by zero"

    bool operator==(const item_failure&) const = default;
};

/// How far a mapped cell has come.
struct items_record {
    std::int64_t done = 0;             ///< failed ones included
    std::int64_t failed = 0;           ///< raised, or ended the process
    std::optional<std::int64_t> total; ///< empty: not known, or without end
    std::optional<item_failure> first_failure{};

    bool operator==(const items_record&) const = default;
};

/// A time that was measured several times.
struct spread {
    nanoseconds least{};
    nanoseconds median{};
    nanoseconds most{};

    bool operator==(const spread&) const = default;
};

/// What several runs of the same cell have in common; the rest of the report is that of the median run.
struct repeat_record {
    int runs = 0;
    spread wall;
    std::vector<std::optional<spread>> run; ///< one a worker; empty where one of its runs is unknown

    bool operator==(const repeat_record&) const = default;
};

struct environment_record {
    std::string xcores;
    std::string python;
    std::string platform;
    std::string cpu;
    std::vector<int> cores; ///< the cores this process may use
    std::optional<nanoseconds> switch_interval;
    bool gil_disabled = false; ///< a free-threaded build running without its GIL

    bool operator==(const environment_record&) const = default;
};

struct report {
    static constexpr std::string_view schema = "xcores.run/1";

    worker_kind kind = worker_kind::threads;
    environment_record environment;
    std::optional<nanoseconds> wall; ///< empty while the run is going on
    nanoseconds elapsed{};           ///< wall, or the time so far
    std::vector<worker_record> workers;
    std::vector<gil_record> gils;
    std::optional<sampling_record> sampling;
    std::optional<items_record> items;    ///< empty: not a mapped cell
    std::optional<repeat_record> repeats; ///< empty: ran once
    std::int64_t left_out = 0;            ///< threads and processes that have no record, because there were too many
    std::optional<std::int64_t>
        downsampled_from; ///< so many spans there were before `downsampled`; empty: all are here

    bool operator==(const report&) const = default;
};

/// What is unknown adds nothing.
void add(std::optional<traffic>& sum, const std::optional<traffic>& more);
void add(std::optional<recorded_events>& sum, const std::optional<recorded_events>& more);

std::string_view name_of(worker_kind);
std::string_view name_of(lane_kind);
std::string_view name_of(thread_state);
std::string_view name_of(gil_state);
std::string_view name_of(outcome_kind);

} // namespace xcores::model
