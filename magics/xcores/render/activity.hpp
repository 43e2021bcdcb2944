// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <cstdint>
#include <set>
#include <string_view>
#include <vector>

#include <xcores/model/report.hpp>

/// What the pictures, large and small, show of a worker: its samples reduced to one of eight activities over time.
namespace xcores::render {

/// In the order in which they are stacked in a lane, from the ground up.
enum class activity : std::uint8_t {
    with_gil,
    without_gil,
    unclear, ///< running with or without the GIL
    elsewhere,
    waiting_core,
    waiting_gil,
    blocked,
    unknown
};

inline constexpr std::size_t activities = 8;
inline constexpr std::array<activity, activities> all_activities{
    activity::with_gil,     activity::without_gil, activity::unclear, activity::elsewhere,
    activity::waiting_core, activity::waiting_gil, activity::blocked, activity::unknown};

activity activity_of(const model::worker_record&, const model::span&);

/// "running with the GIL"
std::string_view words_for(activity);

/// A stretch of one category: an activity, or a worker.
struct stretch {
    model::nanoseconds start{};
    model::nanoseconds end{};
    std::size_t category = 0;
};

/// The worker's run as activities, without holes: what no sample covers is unknown. Holes of up to two sampling periods
/// are the sampler's resolution, not ignorance, and take the state of the sample beside them.
std::vector<stretch> activities_of(const model::report&, const model::worker_record&);

/// The activities that occur in any worker.
std::set<activity> occurring(const model::report&);

/// When each of these workers held their GIL; the category is the position in `report::workers`.
std::vector<stretch> holds_of(const model::report&, const model::gil_record&);

/// Which worker ran on this core when; the category is the position in `report::workers`. In order of start.
std::vector<stretch> visits_to(const model::report&, int core);

/// The parts of stretches in which there is no other one: where a label belongs to one alone.
std::vector<stretch> undisputed(const std::vector<stretch>&);

/// On which core the worker was while it ran, or had last been while it waited to run on; the category is the core's
/// number.
std::vector<stretch> cores_under(const model::worker_record&);

/// The cores that were usable or used, in order.
std::vector<int> cores_of(const model::report&);

/// From zero to the last thing that happened; never empty.
model::interval extent_of(const model::report&);

/// How much of each column of a time axis each category took: the honest way to draw more samples than there are
/// pixels.
class coverage {
public:
    coverage(const std::vector<stretch>&, model::interval whole, std::size_t columns, std::size_t categories);

    /// 0..1; over all categories of a column at most 1.
    double share(std::size_t column, std::size_t category) const { return shares_[column * categories_ + category]; }
    std::size_t columns() const { return columns_; }

    /// Gives a column between two plain ones to the neighbour that has the larger part of it, so that a boundary
    /// between two long stretches is drawn as a boundary. Moves it by at most half a column.
    void sharpen();

private:
    std::size_t plain(std::size_t column) const;
    void add(double start, double end, std::size_t category);
    void normalise();

    std::size_t columns_;
    std::size_t categories_;
    std::vector<double> shares_;
};

} // namespace xcores::render
