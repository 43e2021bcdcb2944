// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/run/recording_allowance.hpp>

#include <algorithm>

namespace xcores::run {

void recording_allowance::begin(nanoseconds time) noexcept {
    saved_until_ = std::max(saved_until_, time);
    saved_ = std::max(saved_, saved_at_first);
}

void recording_allowance::save(nanoseconds time) noexcept {
    const auto elapsed = std::max(nanoseconds{0}, time - saved_until_);
    saved_until_ += elapsed;
    saved_ = std::min(most_saved, saved_ + elapsed / share);
    if (time >= paused_until_ + next_pause_) // it lasted
        next_pause_ = shortest_pause;
}

nanoseconds recording_allowance::pause(nanoseconds time) noexcept {
    if (time >= paused_until_) {
        paused_until_ = time + next_pause_;
        next_pause_ = std::min(longest_pause, 2 * next_pause_);
    }
    return paused_until_;
}

} // namespace xcores::run
