// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <chrono>

namespace xcores::run {

/// When the view of a run that goes on is to be shown: four times a second, not at all if the run is over at once, and
/// ever more rarely where nobody waits for it.
class live_schedule {
public:
    using clock = std::chrono::steady_clock;

    explicit live_schedule(bool patient, clock::time_point now = clock::now())
        : patient_(patient), start_(now), next_(now + first) {}

    clock::time_point next() const noexcept { return next_; }

    /// It was shown. Called afterwards: a slow display must not eat the cores of the workers.
    void shown(clock::time_point now = clock::now()) noexcept {
        const auto grown = patient_ ? (now - start_) / 50 : clock::duration{0};
        next_ = now + std::clamp<clock::duration>(grown, period, longest_period);
    }

private:
    static constexpr std::chrono::milliseconds first{150};
    static constexpr std::chrono::milliseconds period{250};
    static constexpr std::chrono::seconds longest_period{5};

    bool patient_;
    clock::time_point start_;
    clock::time_point next_;
};

} // namespace xcores::run
