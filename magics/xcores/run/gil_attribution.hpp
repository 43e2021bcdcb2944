// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <span>

#include <xcores/run/sample_rules.hpp>

/// Which thread held a GIL between two samples, from what all its threads did. Pure.
namespace xcores::run {

/// A thread of a GIL between two samples.
struct sampled_interval {
    std::uintptr_t gil = 0; ///< the same number for threads of the same GIL; 0: unknown
    nanoseconds start{};
    nanoseconds end{};
    std::uint64_t handovers = 0; ///< of the GIL, in between
    nanoseconds not_before{};    ///< until then a thread held the GIL that is not sampled
    segments seen;
};

/// Answers the questions that the samples of single threads leave open, where the threads of the GIL together do:
///
/// - While a thread waits for the GIL at both samples, some thread holds it all the time. So if all that ran in
/// question
///   fits into the time that those leave that were seen to hold it, and the GIL was handed over often enough, it ran
///   with the GIL. In which order is not known: that of `all` is shown. One tenth may exceed the free time: the threads
///   spend it on asking for the GIL.
/// - A thread that held the GIL at both samples and did not run all the time was handed it back, if another thread was
///   seen to have it in between; else it waited for a core.
/// - Where that does not fit, or no thread waits, the GIL of that time stays unknown.
void attribute_gil(std::span<sampled_interval> all) noexcept;

/// When the thread last held the GIL; zero if it did not.
nanoseconds end_of_hold(const sampled_interval&) noexcept;

} // namespace xcores::run
