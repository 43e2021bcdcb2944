// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <chrono>

namespace xcores::run {

using std::chrono::nanoseconds;

/// How much may be recorded of the threads of one GIL, so that it costs at most 0.5 % of a core: it saves a little with
/// time, and each record spends some. Where nothing is left, nothing is recorded for a pause, which doubles each time
/// this happens again. Pure.
///
/// The costs are those of a slow virtual machine, rounded up: what making a record costs the thread, and what making
/// spans of it costs the sampler (`./dev bench exact`).
class recording_allowance {
public:
    static constexpr nanoseconds switch_cost{250};
    static constexpr nanoseconds gil_event_cost{150};
    static constexpr nanoseconds collecting_cost{200};
    static constexpr int share = 200; ///< one part in so many
    static constexpr nanoseconds most_saved = std::chrono::milliseconds{2};
    static constexpr nanoseconds saved_at_first = most_saved / 4;
    static constexpr nanoseconds shortest_pause = std::chrono::milliseconds{100};
    static constexpr nanoseconds longest_pause = 16 * shortest_pause;

    /// Another thread is recorded from now on.
    void begin(nanoseconds time) noexcept;
    void save(nanoseconds time) noexcept; ///< what the time since the last call allows
    void spend(nanoseconds cost) noexcept { saved_ -= cost; }
    bool is_spent() const noexcept { return saved_ <= nanoseconds{0}; }

    /// Gives when to begin again: all threads at the same time.
    nanoseconds pause(nanoseconds time) noexcept;

private:
    nanoseconds saved_ = saved_at_first;
    nanoseconds saved_until_{};
    nanoseconds next_pause_ = shortest_pause;
    nanoseconds paused_until_{};
};

} // namespace xcores::run
