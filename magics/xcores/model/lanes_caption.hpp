// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>

#include <xcores/model/report.hpp>

namespace xcores::model {

/// The sentence for a report without workers of ours: what ran, how busy the cores were, and what held it back.
std::string caption_of_lanes(const report&);

} // namespace xcores::model
