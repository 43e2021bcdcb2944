// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <xcores/model/report.hpp>

/// What workers did at the same time.
namespace xcores::model {

/// For how long at least one worker, and at least two of them, had something to do: ran, or waited for a core or a GIL.
/// By the samples; of a worker without any, by its run.
struct togetherness {
    nanoseconds any{};
    nanoseconds several{};
};

togetherness togetherness_of(const report&);

/// Two workers cannot have been on one core at the same moment. Where the spans say so both were there between two
/// samples, in an order that is not known: each keeps the core for a part of that time, and for the rest it is unknown.
void settle_cores(report&);

} // namespace xcores::model
