// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <span>

#include <xcores/model/report.hpp>
#include <xcores/run/probe.hpp>

/// What looks at threads tell of the time between the looks. Pure, so that it can be tested by itself.
namespace xcores::run {

/// What one look tells of the time since the last one.
///
/// A look sees a moment: what the thread is doing, who holds the GIL. The CPU clock tells how long it ran since the
/// last one. Where it began or ceased to run in between, the time is cut in two accordingly, so that what is shown as
/// running adds up to the CPU clock.
class judge {
public:
    struct piece {
        nanoseconds length{};
        model::thread_state state = model::thread_state::unknown;
        model::gil_state gil = model::gil_state::unknown;
        int core = -1;
        bool operator==(const piece&) const = default;
    };
    /// Where it ran and nobody knows for how much of that with the GIL: what it did before and after.
    enum class doubt : std::uint8_t {
        none,
        between, ///< waited for the GIL before and after; ran at some time, not necessarily at first
        tail,    ///< waited for it before, and has it no more
        front,   ///< had it before, and has it no more
        back,    ///< had it not before, and has it now
        without, ///< had it at neither, and was running or about to: most likely without it all the time
    };
    struct verdict {
        piece first; ///< in order; each may have no length
        piece second;
        piece third{};
        piece fourth{};
        doubt about = doubt::none;
    };
    /// `now`: what was just read from the probe. `elapsed`: since the last call. The first call only takes bearings.
    /// `late`: nobody looked for so long that of the time in between only the sum on a core is known, neither when that
    /// was nor who held the GIL; unless it ran almost all the time and holds it now.
    verdict operator()(probe&, const probe::reading& now, nanoseconds elapsed, bool late = false) noexcept;

    /// After the first call: what it sees is a worker that will take its GIL and run.
    void is_about_to_begin() noexcept;

    /// When the run is over: what the thread does now has nothing to do with it. One that was running ran on as it did,
    /// and of a rest that is worth showing nobody knows what it did; one that was waiting ran at last.
    verdict last_words(const probe::reading& now, nanoseconds elapsed, bool late = false) const noexcept;

private:
    static piece see(probe&, const probe::reading&, nanoseconds progress) noexcept;
    static verdict unseen(nanoseconds ran, nanoseconds elapsed, model::thread_state otherwise) noexcept;

    nanoseconds cpu_{-1};
    nanoseconds owed_{}; ///< CPU time seen and not yet shown, where there was less of it than a tick or more
    piece before_;       ///< what the last look saw; "running" means runnable
    bool about_to_begin_ = false;
};

/// A thread and its GIL between two looks.
struct turn {
    std::uintptr_t gil = 0; ///< the same number for threads of the same GIL; 0: unknown
    nanoseconds start{};
    nanoseconds end{};
    std::uint64_t handovers = 0; ///< of the GIL, in between
    nanoseconds not_before{};    ///< until then one had the GIL that is looked at no more
    judge::verdict seen;
};

/// What the threads of a GIL tell together. While somebody waits for it, somebody has it; and if all that ran in doubt
/// fits into the time that is left by those who were seen to hold it, and the GIL was handed over often enough, it ran
/// with the GIL. In what order is not known: it is that of `all`. Where it does not fit, or nobody waits, it stays
/// unknown who held it. So do those who seem to have run without the GIL: while somebody waits, nobody else can have
/// had it.
void place_turns(std::span<turn> all) noexcept;

/// When a thread last had the GIL; zero if it had it not.
nanoseconds end_of_hold(const turn&) noexcept;

} // namespace xcores::run
