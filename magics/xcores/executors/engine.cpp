// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/executors/engine.hpp>

#include <Python.h>

#include <algorithm>
#include <iterator>

#include <xcores/executors/forkserver.hpp>
#include <xcores/executors/in_process.hpp>
#include <xcores/os/clock.hpp>
#include <xcores/os/machine.hpp>

namespace xcores::executors {

model::environment_record environment_here() {
    model::environment_record here;
    here.python = std::string(Py_GetVersion(), std::string_view(Py_GetVersion()).find(' '));
    here.platform = os::platform();
    here.cpu = os::cpu_model();
    here.cores = os::usable_cores();
    return here;
}

engine::engine(python_description python) : environment_(environment_here()) {
    const auto description = std::make_shared<const python_description>(std::move(python));
    const std::shared_ptr<const std::string> worker_codes(description, &description->worker_codes);
    threads_ = std::make_shared<run::pool>([] { return make_thread_body(); });
    for (const auto gil : {model::gil_choice::own, model::gil_choice::shared})
        interpreters_.at(static_cast<std::size_t>(gil)) =
            std::make_shared<run::pool>([worker_codes, gil] { return make_subinterpreter_body(worker_codes, gil); });
    forkserver_ = make_forkserver(description);
    const std::array sources{make_spawner(description), forkserver_}; // by start_method
    for (std::size_t method = 0; method < sources.size(); ++method)
        processes_.at(method) = std::make_shared<run::pool>(
            [description, source = sources.at(method)] { return make_process_body(description, source); });
}

model::environment_record engine::environment_now() const {
    auto environment = environment_;
    environment.cores = os::usable_cores();
    return environment;
}

template <typename Plan>
std::shared_ptr<run::pool> engine::pool_for(const Plan& what) const {
    const auto which = what.kind == model::worker_kind::subinterp ? static_cast<std::size_t>(what.gil)
                       : what.kind == model::worker_kind::procs   ? static_cast<std::size_t>(what.start)
                                                                  : 0;
    return pools_of(what.kind).at(which);
}

std::shared_ptr<run::session> engine::start(run::plan what) {
    const auto pool = pool_for(what);
    if (what.fresh && pool == processes_.at(static_cast<std::size_t>(model::start_method::forkserver)))
        forkserver_->reset(); // it holds modules that may have changed
    return run::session::start(std::move(what), pool, environment_now());
}

std::shared_ptr<run::job_queue> engine::open_queue(run::queue_plan what) {
    const auto pool = pool_for(what);
    return run::job_queue::create(std::move(what), pool, environment_now());
}

run::pool_state engine::state(model::worker_kind kind) const {
    run::pool_state all;
    bool known = true;
    for (const auto& pool : pools_of(kind)) {
        const auto one = pool->state();
        all.idle += one.idle;
        all.busy += one.busy;
        all.serving += one.serving;
        all.left_behind += one.left_behind;
        known = known && (one.idle == 0 || one.memory_bytes);
        if (one.memory_bytes)
            all.memory_bytes = all.memory_bytes.value_or(0) + *one.memory_bytes;
    }
    if (!known)
        all.memory_bytes.reset();
    return all;
}

std::vector<std::shared_ptr<run::pool>> engine::pools_of(model::worker_kind kind) const {
    switch (kind) {
    case model::worker_kind::subinterp:
        return {interpreters_.begin(), interpreters_.end()};
    case model::worker_kind::procs:
        return {processes_.begin(), processes_.end()};
    case model::worker_kind::threads:
    case model::worker_kind::cores:
        break;
    }
    return {threads_};
}

bool engine::shutdown(run::nanoseconds patience) {
    std::vector<std::shared_ptr<run::worker>> leaving;
    using enum model::worker_kind;
    for (const auto kind : {threads, subinterp, procs})
        for (const auto& pool : pools_of(kind)) {
            std::ranges::move(pool->take_all(), std::back_inserter(leaving));
            // Python must not end under an interpreter that is just being ended.
            std::ranges::move(pool->ending(), std::back_inserter(leaving));
        }
    for (const auto& one : leaving)
        one->retire();
    const auto until = os::now() + patience;
    bool all = true;
    for (const auto& one : leaving)
        all = one->wait_until_ended(std::max(until - os::now(), run::nanoseconds{0})) && all;
    forkserver_->reset();
    return all;
}

} // namespace xcores::executors
