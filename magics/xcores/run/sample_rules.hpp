// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include <xcores/model/report.hpp>
#include <xcores/run/probe.hpp>

/// What samples of a thread tell of the time between them. Pure.
namespace xcores::run {

/// A part of the time between two samples.
struct segment {
    nanoseconds length{};
    model::thread_state state = model::thread_state::unknown;
    model::gil_state gil = model::gil_state::unknown;
    int core = -1;
    bool operator==(const segment&) const = default;
};

/// Where two samples of a thread do not tell for how much of its CPU time it held the GIL: what they show. The other
/// threads of the GIL may answer that (run/gil_attribution.hpp).
enum class gil_question : std::uint8_t {
    none,
    while_waiting, ///< it waited for the GIL at both, and ran at some time in between
    after_waiting, ///< it waited for the GIL before, and runs without it now
    before_giving, ///< it held the GIL before, and runs without it now
    after_taking,  ///< it ran without the GIL before, and holds it now
    without,       ///< it ran without the GIL at both, so most likely all the time
};

/// The time between two samples, in order. A segment may have no length.
struct segments {
    std::array<segment, 4> parts{};
    gil_question question = gil_question::none;

    segment& operator[](std::size_t place) { return parts[place]; }
    const segment& operator[](std::size_t place) const { return parts[place]; }
};

/// Turns the samples of one thread into segments. A sample shows a moment; the CPU clock shows for how long the thread
/// ran since the sample before. The first rule that applies decides; `p` is the CPU time used in between:
///
/// | rule     | sample before              | this sample          | segments, in order                    | GIL
/// question  |
/// |----------|----------------------------|----------------------|---------------------------------------|---------------|
/// | no clock | any                        | CPU time unknown     | unknown                               | | | late |
/// any                        | 3 periods or more on | ran p, GIL unknown; rest as now       |               | |
/// stopped  | runnable                   | not runnable         | ran p as before; rest as now          | | | gave |
/// runnable, held             | runnable, not held   | ran p as before; waited for a core    | before_giving | |
/// started  | not runnable               | runnable             | rest as before; ran p as now          | after_waiting
/// | | took     | runnable, not held         | runnable, held       | waited for a core; ran p as now       |
/// after_taking  | | ran      | runnable or unknown        | runnable             | waited for a core; ran p as now |
/// without       | | rested   | not runnable               | not runnable         | ran p, GIL unknown; rest as before
/// | while_waiting |
///
/// - A question is asked only where p is longer than 1 ms; then the GIL is unknown for p, except under `without`.
///   `after_waiting` is asked of a thread that waited for the GIL and does not hold it, `without` of one that held it
///   at neither sample, `while_waiting` of one that waited for it at both.
/// - `late` does not apply to a thread that used almost all the time and holds its GIL.
/// - `ran` and `rested` show a segment of at most 1 ms as part of the other one, and make up for it later, so that over
///   time what is shown as running adds up to the CPU clock.
/// - A thread that waits for the GIL wakes at each switch interval to ask again: less than 50 us is still waiting.
///
/// - Thread: one at a time. GIL: not needed. Failure: nothing throws, nothing allocates.
class sample_rules {
public:
    /// `elapsed`: since the last call; zero at the first one, which begins.
    segments apply(probe& thread, const probe::reading& sample, nanoseconds elapsed, bool late = false) noexcept;

    /// After the first call: the thread is a worker that will take its GIL and run.
    void is_about_to_begin() noexcept;

    /// The rest of a run that has ended. What the thread does at this sample is no part of it:
    ///
    /// | sample before | segments, in order                                                                       |
    /// |---------------|------------------------------------------------------------------------------------------|
    /// | late          | ran p, GIL unknown; rest as before                                                       |
    /// | runnable      | ran p as before (GIL unknown if not held and p over 1 ms); a rest over 1 ms: unknown     |
    /// | not runnable  | rest as before; ran p, GIL unknown                                                       |
    segments at_end(const probe::reading& sample, nanoseconds elapsed, bool late = false) const noexcept;

private:
    segment state_at(probe& thread, const probe::reading& sample, nanoseconds progress) const noexcept;

    nanoseconds cpu_{-1};
    nanoseconds owed_{}; ///< CPU time used and not shown yet
    segment latest_;     ///< what the latest sample showed; "running" means runnable
    bool about_to_begin_ = false;
};

} // namespace xcores::run
