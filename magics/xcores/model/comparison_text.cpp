// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>

#include <xcores/model/comparison.hpp>
#include <xcores/model/format.hpp>

namespace xcores::model {

std::string reading_text(const comparison& all) {
    switch (all.reading) {
    case work_reading::divided:
        return "The cell reads `workers`, so the workers divide its work: serial is one run with `worker` 0 of 1.";
    case work_reading::numbered:
        return "The cell reads `worker`, so each worker has a part of its own: serial is the same parts one after the "
               "other.";
    case work_reading::repeated:
        return "The cell reads neither `worker` nor `workers`, so each worker does all of its work: times are per run "
               "of the cell, speed-up compares work per second.";
    case work_reading::mapped:
        return "The cell runs once for each item, and the workers share the items out: serial is one item after the "
               "other.";
    }
    return "";
}

std::string disturbance_text(const comparison& all) {
    const double most = disturbance_of(all);
    if (most < disturbing)
        return "";
    return "Other programs took up to " + percent(most) +
           " of the core time that the cell could have used: measure again when the machine is idle.";
}

std::string variation_text(const comparison& all) {
    std::string which;
    for (const configuration& one : all.configurations) {
        if (one.results != agreement::varies)
            continue;
        if (!one.kind)
            return "the results differ from run to run (random numbers?), so they cannot be compared";
        which += (which.empty() ? "" : ", ") + label_of(one);
    }
    return which.empty() ? "" : "the results of " + which + " differ from run to run";
}

std::string agreement_text(const comparison& all) {
    std::string different;
    std::string unknown;
    bool any = false;
    if (const std::string varying = variation_text(all); !varying.empty())
        return "T" + varying.substr(1) + ".";
    for (const configuration& one : all.configurations) {
        if (!one.kind || one.walls.empty())
            continue;
        any = true;
        std::string& list = one.results == agreement::different ? different : unknown;
        if (one.results != agreement::same)
            list += (list.empty() ? "" : ", ") + label_of(one);
    }
    if (!any)
        return "";
    const std::string with = all.reading == work_reading::divided
                                 ? "Compared the workers' results with those of the other kinds with as many workers"
                                 : "Compared each " +
                                       std::string(all.reading == work_reading::mapped ? "item" : "worker") +
                                       "'s result with that of the serial run";
    std::string text = with + ": " + (different.empty() ? "" : "different with " + different);
    if (!unknown.empty())
        text += (different.empty() ? "" : "; ") + std::string("nothing to compare for ") + unknown;
    return text + (different.empty() && unknown.empty() ? "all the same." : ".");
}

} // namespace xcores::model
