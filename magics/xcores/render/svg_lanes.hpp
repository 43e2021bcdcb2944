// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <xcores/model/report.hpp>
#include <xcores/render/svg_stack.hpp>

/// The three groups of lanes of the picture. Each function draws one group from `y` downwards and returns where it
/// ended.
namespace xcores::render {

double draw_workers(canvas&, const model::report&, const time_scale&, double y);
double draw_gils(canvas&, const model::report&, const time_scale&, double y);
double draw_cores(canvas&, const model::report&, const time_scale&, double y);

/// What the colours and marks of these groups mean.
double draw_legend(canvas&, const model::report&, const time_scale&, double y);
void draw_axis(canvas&, const time_scale&, double y);

/// A start-up, an import or a transfer that is long enough to be seen.
bool is_visible(const std::optional<model::interval>&, const time_scale&);

/// The height of an activity in a lane as a share of the lane, where it takes the whole of a column's time.
double weight_of(activity);

/// The end of a worker that did not return: a cross.
void draw_mark(canvas&, double x, double y, double size);

/// What the mark of a worker says; empty when there is none.
std::string event_of(const model::worker_record&);

/// When the last thing known of the worker's code was over: where its mark belongs. Zero where nothing is known.
model::nanoseconds last_moment(const model::worker_record&);

} // namespace xcores::render
