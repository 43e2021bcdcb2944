// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <utility>

#include <xcores/model/report.hpp>

/// What recorded events tell about a thread. Pure, so that it can be tested with events that a test makes up.
namespace xcores::run {

using std::chrono::nanoseconds;

struct thread_event {
    enum class kind : std::uint8_t {
        on_core,   ///< it got a core
        preempted, ///< it left its core although it could have run on
        off_core,  ///< it left its core of its own will
        ended,     ///< nothing comes after that
        lost,      ///< such events are missing before this one
        wants_gil, ///< it came back from a blocking call, or was asked to give the GIL away and has done so
        takes_gil,
        gives_gil,
        rests, ///< has waited until another had the GIL, and wants it now, or is about to block
    };
    nanoseconds time{};
    kind what = kind::lost;
    int core = -1; ///< of events of the first five kinds
};

/// Turns the events of one thread into spans: it has a place and a relation to its GIL; each event changes one of them,
/// and a span ends.
///
///     place \ GIL  holding         wanting            without            unknown
///     on core      running, held   running, not held  running, not held  running, unknown
///     waiting      waiting for a core, and the same
///     asleep       blocked, held   waiting for GIL    blocked, not held  unknown
///     unknown      unknown, held   unknown, not held  unknown, not held  unknown
class exact_trace {
public:
    enum class place : std::uint8_t { on_core, waiting_core, unknown, asleep, runnable, nowhere };
    // runnable: one of the first two, which is not known yet; nowhere: it has ended
    enum class relation : std::uint8_t { unknown, holding, wanting, without };

    using sink = std::function<void(const model::span&)>;
    explicit exact_trace(sink into) : into_(std::move(into)) {}

    /// May be called again after settle().
    void begin(nanoseconds time, place, int core, relation);
    /// The same where its relation to the GIL is known already.
    void begin(nanoseconds time, place, int core);
    void take(const thread_event&);
    /// What it does with its GIL is not recorded from then on.
    void forget_gil(nanoseconds time) { become(time, relation::unknown); }
    /// Where it was is not recorded from then on.
    void forget_place(nanoseconds time) { move_to(time, place::unknown, -1); }
    /// A core has worked for the thread for so long when its getting the core is recorded, less what is recorded too
    /// much when it leaves the core; may be negative.
    void set_switch_cost(nanoseconds cost) noexcept { switch_cost_ = cost; }
    /// Whether a thread has slept and got a core since the last settle(): it may have waited for that in between, which
    /// no event tells.
    bool has_woken() const noexcept { return woken_ > 0; }
    /// Whether it is not known if it has a core. Its next event tells, or else the progress of its clock does.
    bool is_runnable() const noexcept { return place_ == place::runnable; }
    bool knows_place() const noexcept { return place_ != place::runnable && place_ != place::unknown; }
    void decide_place(bool has_run) noexcept { place_ = has_run ? place::on_core : place::waiting_core; }
    /// All up to this time goes into the sink. `queue_wait`: for how long it could run and had no core since begin(),
    /// of waits that are over; what preemptions do not account for was waited between sleeping and running.
    void settle(nanoseconds time, std::optional<nanoseconds> queue_wait = std::nullopt);

    nanoseconds on_core() const noexcept { return on_core_; } ///< so far, as recorded: without the cost of switches
    /// The end of the last span with the GIL; empty: there was none.
    std::optional<nanoseconds> last_held() const noexcept { return last_held_; }
    /// Since when it has a core and that has not been counted by on_core(); empty: it has none.
    std::optional<nanoseconds> on_core_since() const noexcept {
        return place_ == place::on_core ? std::optional(start_) : std::nullopt;
    }
    const model::recorded_events& sums() const noexcept { return sums_; }

private:
    struct piece {
        nanoseconds start{};
        nanoseconds end{};
        place where = place::unknown;
        int core = -1;
        relation gil = relation::unknown;
        bool has_woken = false; ///< asleep until it was awakened, and then until it got a core
        nanoseconds waited{};   ///< for that
        nanoseconds length() const noexcept { return end - start; }
    };
    static constexpr std::size_t most_kept = 256;

    void move_to(nanoseconds time, place, int core);
    void get_core(nanoseconds time, int core);
    void become(nanoseconds time, relation);
    void end_span(nanoseconds time);
    void put_waits_at_ends_of_sleeps(nanoseconds queue_wait);
    void release();
    void emit(nanoseconds start, nanoseconds end, const piece& what);

    sink into_;
    nanoseconds start_{}; ///< of the span that has not ended
    place place_ = place::unknown;
    int core_ = -1;
    relation relation_ = relation::unknown;
    nanoseconds wanted_{};                   ///< since when, where it wants the GIL
    nanoseconds rested_{nanoseconds::min()}; ///< when it rested for the last time
    nanoseconds switch_cost_{};
    std::array<piece, most_kept> kept_; ///< since the last settle()
    std::size_t kept_count_ = 0;
    std::size_t woken_ = 0;   ///< of these
    nanoseconds placed_{};    ///< when it came to its place
    nanoseconds accounted_{}; ///< of the queue wait
    nanoseconds on_core_{};
    std::optional<nanoseconds> last_held_;
    model::recorded_events sums_;
};

} // namespace xcores::run
