// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <optional>
#include <string_view>

#include <xcores/model/comparison.hpp>
#include <xcores/render/svg_canvas.hpp>

/// The right half of the comparison's chart: speed-up over workers, a line and a mark of its own shape for each kind.
namespace xcores::render {

struct plot_place {
    double left;
    double right;
    double top;
};

/// Where it ended. Draws nothing where no speed-up is known.
double draw_speedup(canvas&, const model::comparison&, const plot_place&);

/// The colour of a kind, or of serial. Told apart with any of the common forms of colour blindness, and with a contrast
/// of 3 to 1 and more on either card.
std::string_view colour_of(const std::optional<model::worker_kind>&);

} // namespace xcores::render
