// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/cpython/this_process.hpp>

#include <algorithm>
#include <atomic>
#include <map>
#include <set>

#include <xcores/cpython/gil_lock.hpp>
#include <xcores/cpython/interpreter_watch.hpp>
#include <xcores/os/clock.hpp>
#include <xcores/os/named_thread.hpp>
#include <xcores/os/task_probe.hpp>

namespace xcores::cpython {
namespace {

using model::gil_state;
using model::lane_kind;
using model::thread_state;
using std::chrono::nanoseconds;

/// What threads and processes have in common: a CPU clock, and files that are read only if it has moved since.
class task : public run::watched {
public:
    explicit task(os::task_probe what) : probe_(std::move(what)) {}

    nanoseconds cpu() noexcept final {
        if (const auto now = probe_.cpu_time(); now >= nanoseconds{0})
            cpu_ = now;
        return cpu_;
    }
    std::optional<nanoseconds> queue_wait() final { return probe_.queue_wait(); }
    std::string name() final { return probe_.command(); }

protected:
    /// Whether it ran since the last call.
    bool has_moved(nanoseconds now) noexcept { return std::exchange(seen_, now) != now; }

    os::task_probe probe_;
    std::atomic<nanoseconds> cpu_{nanoseconds{0}};
    os::task_probe::standing standing_;

private:
    nanoseconds seen_{-1};
};

class thread final : public task {
public:
    thread(std::int64_t id, int gil, interpreter_watch& watch)
        : task(os::task_probe::of_thread(id)), id_(id), gil_(gil), watch_(watch) {}

    reading read() noexcept override {
        const auto now = probe_.cpu_time();
        if (now >= nanoseconds{0})
            cpu_ = now;
        if (has_moved(now)) {
            if (known_ || ++runs_ % reads_to_a_core == 0)
                standing_ = probe_.look();
            known_ = false;
        }
        return {now, standing_.core, state_of_gil(), watch_.handovers_of(gil_)};
    }

    void look_anew() noexcept override { watch_.look(); }

    /// A native thread may turn out to run Python, most likely in the main interpreter.
    std::optional<recordable> what_to_record() const noexcept override {
        const auto address = watch_.address_of(gil_ < 0 ? watch_.main_gil() : gil_);
        const auto lock = address == 0 ? os::lock_parts{} : gil_lock(reinterpret_cast<const void*>(address));
        return recordable{id_, lock, cpython_code()};
    }

    std::uintptr_t gil() const noexcept override { return static_cast<std::uintptr_t>(gil_ + 1); }

    thread_state situation() noexcept override {
        if (!known_) {
            last_ = look();
            known_ = last_ == thread_state::blocked || last_ == thread_state::waiting_gil; // until it runs again
        }
        return last_;
    }

private:
    gil_state state_of_gil() const noexcept {
        const auto own = gil_ < 0 ? gil_state::not_held : watch_.state_of(id_, gil_);
        return own != gil_state::held && watch_.holds_any(id_) ? gil_state::unknown : own; // it is elsewhere
    }

    thread_state look() noexcept {
        const auto seen = probe_.situation();
        switch (seen.what) {
        case os::thread_probe::activity::runnable:
            return thread_state::waiting_core;
        case os::thread_probe::activity::in_system_call:
            return seen.futex != 0 && watch_.is_in_a_gil(seen.futex) ? thread_state::waiting_gil
                                                                     : thread_state::blocked;
        case os::thread_probe::activity::unknown:
            break;
        }
        return thread_state::unknown;
    }

    const std::int64_t id_;
    const int gil_;
    interpreter_watch& watch_;
    static constexpr unsigned reads_to_a_core = 4; ///< threads seldom move while they run, and asking is dear
    unsigned runs_ = reads_to_a_core - 1;
    bool known_ = false;
    thread_state last_ = thread_state::unknown;
};

/// Runs while any of its threads does; nothing is known of its GIL.
class process final : public task {
public:
    explicit process(std::int64_t id) : task(os::task_probe::of_process(id)) {}

    std::optional<nanoseconds> began() override { return probe_.began(); }

    reading read() noexcept override {
        const auto now = probe_.cpu_time();
        const auto time = os::now();
        if (now >= nanoseconds{0}) {
            mostly_ran_ = now - cpu_.load() >= (time - time_) / 2;
            cpu_ = now;
        }
        time_ = time;
        if (has_moved(now) || standing_.state == 'R')
            standing_ = probe_.look();
        return {now, standing_.core, gil_state::unknown};
    }

    thread_state situation() noexcept override {
        if (mostly_ran_ || standing_.state == 'R')
            return thread_state::waiting_core;
        return standing_.state == '?' ? thread_state::unknown : thread_state::blocked;
    }

private:
    nanoseconds time_{};
    bool mostly_ran_ = false;
};

class neighbourhood final : public run::surroundings {
public:
    void look() noexcept override { watch_.look(); }

    bool has_changed() noexcept override { return count() != listed_; }

    bool lists_quickly(lane_kind kind) const override { return kind != lane_kind::process; }

    std::vector<run::subject> list(care how) override {
        if (how == care::thorough && is_quiet())
            return last_;
        listed_ = count();
        last_ = threads();
        if (how == care::thorough) {
            const auto processes = os::processes_below_this();
            any_process_ = !processes.empty();
            for (const auto id : processes)
                last_.push_back({lane_kind::process, id, -1});
        }
        return last_;
    }

    std::unique_ptr<run::watched> watch(const run::subject& what) override {
        if (what.kind == lane_kind::process)
            return std::make_unique<process>(what.id);
        return std::make_unique<thread>(what.id, what.gil, watch_);
    }

    std::vector<gil> gils() const override {
        std::vector<gil> result;
        for (auto& one : watch_.gils())
            result.push_back({std::move(one.name), one.is_main, static_cast<std::int64_t>(one.handovers)});
        return result;
    }

private:
    /// Nothing has begun since the last list, and nothing that was there can have ended. But a thread can become
    /// Python's late, so that this is not believed for long.
    bool is_quiet() noexcept {
        constexpr int most = 8;
        const bool quiet = !births_.any() && !any_process_ && !has_changed();
        quiet_lists_ = quiet && quiet_lists_ < most ? quiet_lists_ + 1 : 0;
        return quiet_lists_ > 0;
    }

    std::vector<run::subject> threads() {
        std::vector<run::subject> found;
        auto threads = threads_.read();
        std::erase_if(threads, [this](std::int64_t id) { return is_ours(id); });
        std::set<std::int64_t> native(threads.begin(), threads.end());
        const auto alive = native;
        for (const auto& one : watch_.find())
            if (alive.contains(one.native_id)) {
                found.push_back({lane_kind::python_thread, one.native_id, one.gil});
                native.erase(one.native_id);
            }
        for (const auto id : native)
            found.push_back({lane_kind::native_thread, id, -1});
        return found;
    }

    std::int64_t count() const noexcept { return static_cast<std::int64_t>(threads_.count().value_or(0)); }

    /// Threads that serve the notebook or do the watching, known by their names.
    bool is_ours(std::int64_t id) {
        if (id == ::getpid()) // which has another name while it starts a thread of ours
            return false;
        const auto known = ours_.find(id);
        if (known != ours_.end())
            return known->second;
        const std::string name = os::task_probe::of_thread(id).command();
        const bool ours = (name.starts_with("xcores ") && name != os::worker_thread_name) || name.starts_with("ZMQbg/");
        if (!name.empty())
            ours_[id] = ours;
        return ours;
    }

    interpreter_watch watch_;
    const os::thread_list threads_;
    os::birth_watch births_;
    bool any_process_ = true; ///< of this one, as far as was seen
    int quiet_lists_ = 0;     ///< in a row
    std::vector<run::subject> last_;
    std::atomic<std::int64_t> listed_ = 0; ///< how many there were then
    std::map<std::int64_t, bool> ours_;
};

} // namespace

std::unique_ptr<run::surroundings> this_process() {
    return std::make_unique<neighbourhood>();
}

} // namespace xcores::cpython
