// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <xcores/model/report.hpp>
#include <xcores/run/probe.hpp>

namespace xcores::run {

/// A thread of this process or another process. A thread that runs in several interpreters is several subjects.
struct subject {
    model::lane_kind kind = model::lane_kind::native_thread;
    std::int64_t id = 0; ///< of the thread or the process, as the system numbers it
    int gil = -1;        ///< python_thread: position in surroundings::gils()

    auto operator<=>(const subject&) const = default;
};

/// A subject as the sampler sees it, and what only the recorder asks.
///
/// - Thread: the recorder's own, where the sampler's is not named.
/// - Failure: when the subject has ended, cpu() tells the last that was known.
class watched : public probe {
public:
    /// On the monotonic clock; empty: unknown. Of a process.
    virtual std::optional<nanoseconds> began() { return std::nullopt; }
    virtual nanoseconds cpu() noexcept = 0; ///< CPU time since it began; any thread
    virtual std::optional<nanoseconds> queue_wait() = 0;
    virtual std::string name() = 0; ///< as the system calls it
};

/// What there is to be watched. It knows nothing of samples, and the recorder nothing of where this is known from.
class surroundings {
public:
    virtual ~surroundings() = default;

    /// Thread: the sampler's, before it reads the probes; must not allocate.
    virtual void look() noexcept = 0;

    enum class care { quick, thorough }; ///< quick: may leave out what is dear to find
    virtual std::vector<subject> list(care) = 0;
    /// Cheap: false where a quick list would most likely say what the last one said. Thread: the sampler's, as for
    /// look().
    virtual bool has_changed() noexcept = 0;
    /// Whether a quick list says anything about subjects of this kind.
    virtual bool lists_quickly(model::lane_kind) const = 0;

    virtual std::unique_ptr<watched> watch(const subject&) = 0;

    struct gil {
        std::string name;
        bool is_main = false;       ///< of the main interpreter
        std::int64_t handovers = 0; ///< since it was first seen
    };
    virtual std::vector<gil> gils() const = 0;
};

} // namespace xcores::run
