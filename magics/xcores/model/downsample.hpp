// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>

#include <xcores/model/report.hpp>

/// Reports that are small enough to be saved in a notebook.
namespace xcores::model {

/// The same report with the spans of each worker gathered into so many windows of time; none at all for zero. Within a
/// window what a worker did keeps its exact length and loses its order, so every total stays what it was and nothing
/// that happened goes missing. A report that would not get shorter comes back as it is; else `downsampled_from` says
/// how many spans there were.
report downsampled(const report&, std::size_t windows);

std::size_t number_of_spans(const report&);

} // namespace xcores::model
