// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <xcores/model/summary.hpp>

/// On a machine that other programs use too, of a part of the time nobody knows what a worker did. What a test says of
/// shares is said of the rest.
namespace xcores::test {

/// Without the time in which other programs kept the sampler from looking.
inline model::nanoseconds known(const model::state_times& times) {
    return times.sampled - times.unknown;
}

/// Of that, what the worker did not spend waiting for a core that others had.
inline model::nanoseconds undisturbed(const model::state_times& times) {
    return known(times) - times.waiting_core;
}

} // namespace xcores::test
