// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <xcores/model/report.hpp>
#include <xcores/run/job.hpp>
#include <xcores/run/payload.hpp>
#include <xcores/run/probe.hpp>
#include <xcores/run/sample_log.hpp>

namespace xcores::run {

/// Items of a mapped cell, numbered from `first` on.
struct item_chunk {
    std::int64_t first = 0;
    std::vector<std::shared_ptr<const payload>> items;
};

struct reply {
    model::outcome how;
    std::string summary;
    payload output;
};

/// One worker's end of a mapped cell.
///
/// - Thread: the one that executes.
/// - GIL: take() is called without one.
class item_feed {
public:
    virtual ~item_feed() = default;

    /// The items to run the cell for next; those of the last chunk are done. Waits. Nothing: it is over.
    virtual std::optional<item_chunk> take() = 0;
    /// The same without waiting: nothing where take() would wait, an empty chunk where it is over.
    virtual std::optional<item_chunk> try_take() = 0;
    /// How the item with this number ended. In order. False: nothing more is to be run. After an interrupt, that is
    /// certain to be told; otherwise take() will.
    virtual bool done(std::int64_t index, reply) = 0;
};

/// What one worker is asked to do.
struct task {
    int index = 0;
    int workers = 1;
    std::shared_ptr<const payload> input;
    nanoseconds sample_period{};      ///< zero: not sampled
    std::shared_ptr<item_feed> items; ///< the cell runs once for each of them; null: once
    int core = -1;                    ///< the only one it may run on; negative: any
};

enum class stream : std::uint8_t { standard_output = 1, standard_error = 2 };

/// Where a worker's output goes. Thread: any. Must not block for long.
using output_sink = std::function<void(stream, std::string_view)>;

/// Exact figures of one run in one worker; what is unknown stays empty.
struct usage {
    std::optional<model::interval> run; ///< on the monotonic clock
    std::optional<nanoseconds> cpu;
    std::optional<nanoseconds> queue_wait;
    std::optional<std::int64_t> voluntary_switches;
    std::optional<std::int64_t> involuntary_switches;
    std::optional<std::int64_t> minor_faults;
    std::optional<std::int64_t> major_faults;
    std::optional<std::int64_t> migrations;
    std::optional<std::int64_t> memory_bytes;
    std::optional<std::int64_t> proportional_bytes;
    std::optional<std::int64_t> unique_bytes;
    std::optional<std::uint64_t> handovers_before; ///< the GIL's own counter
    std::optional<std::uint64_t> handovers_after;
    std::optional<model::sampling_record> sampling; ///< of a sampler of its own
};

/// How jobs are served.
struct serving {
    int workers = 1;             ///< at most so many serve with it
    nanoseconds sample_period{}; ///< zero: not sampled
    output_sink output;
};

/// Which GIL a worker runs under: workers with the same `identity` share one.
struct gil_identity {
    std::uintptr_t identity = 0;
    std::string name;
};

/// What differs between the kinds of workers: a place where code runs. It knows nothing of sessions, pools or pictures.
///
/// - Thread: open, prepare, execute, collect and close are called on the worker's own thread, in that order (the middle
///   three once per task, or serve instead of them); interrupt, terminate and samples on any other thread, at any time
///   between open and close; the rest when no task is under way.
/// - GIL: called without any.
/// - Lifetime: one whose code has ended by itself (`!alive()`) may be closed and opened again.
/// - Failure: open() and prepare() throw std::exception with the reason. execute() and collect() turn everything that
/// the user's code does
///   into the reply.
class worker_body {
public:
    virtual ~worker_body() = default;

    /// Told before open(), on the same thread: what the first task will be given.
    virtual void foresee(const std::shared_ptr<const payload>&) {}
    virtual void open() = 0;
    virtual void prepare(const task&, const output_sink&) = 0;
    /// Called after open() or prepare(), on the same thread: how much of it was spent on importing modules that the
    /// task needs.
    virtual nanoseconds import_time() const noexcept { return nanoseconds{0}; }
    virtual usage execute() = 0;
    virtual reply collect() = 0;
    /// Answers calls until there are no more, or until it is not alive any more.
    virtual void serve(job_source&, const serving&) = 0;
    /// For a body that parks: a call was handed over, or, without one, it is to look. Thread: any. Never waits.
    virtual void take_on(const std::shared_ptr<call>&) noexcept {}
    virtual void close() noexcept = 0;

    /// Asks the running code to stop (KeyboardInterrupt). Returns at once.
    virtual void interrupt() noexcept = 0;
    /// Ends the worker by force. False: that cannot be done to this kind, and it must be left behind.
    virtual bool terminate() noexcept = 0;

    /// The same while it opens: open() fails soon. Thread: any, at any time. False: it cannot be helped.
    virtual bool give_up() noexcept { return false; }

    virtual bool alive() const noexcept = 0;                   ///< may be given another task
    virtual probe* thread_probe() noexcept { return nullptr; } ///< for the caller's sampler; null: it samples itself
    virtual const sample_log* samples() const noexcept { return nullptr; } ///< of a body that samples itself
    virtual gil_identity gil() const = 0;
    virtual nanoseconds cpu_time() const noexcept = 0; ///< since some fixed moment, once open; negative: unknown
    virtual std::int64_t process_id() const noexcept = 0;
    virtual std::int64_t native_thread_id() const noexcept = 0;
    /// Memory is told by usage; otherwise it is the growth of this process while workers open.
    virtual bool shares_process() const noexcept = 0;
    /// Buffers of a payload from this size on are shared with the worker, smaller ones and the data are copied. Empty:
    /// what it takes is not counted.
    virtual std::optional<std::size_t> shares_from() const noexcept { return std::nullopt; }
    /// Somebody looks at memory that ends with the body: close() has to wait for await_returns().
    virtual bool lends() const noexcept { return false; }
    virtual std::int64_t lent_bytes() const noexcept { return 0; } ///< and how much, once it is open
    virtual void await_returns() noexcept {}
};

} // namespace xcores::run
