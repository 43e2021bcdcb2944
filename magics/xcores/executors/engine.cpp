// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/executors/engine.hpp>

#include <Python.h>

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
    const std::shared_ptr<const std::string> source(description, &description->worker_source);
    pools_ = {std::make_shared<run::pool>([] { return make_thread_body(); }),
              std::make_shared<run::pool>([source] { return make_subinterpreter_body(source); }),
              std::make_shared<run::pool>([description] { return make_process_body(description); })};
}

model::environment_record engine::environment_now() const {
    auto environment = environment_;
    environment.cores = os::usable_cores();
    return environment;
}

std::shared_ptr<run::session> engine::start(run::plan what) {
    const auto pool = pools_.at(static_cast<std::size_t>(what.kind));
    return run::session::start(std::move(what), pool, environment_now());
}

std::shared_ptr<run::job_queue> engine::open_queue(run::queue_plan what) {
    const auto pool = pools_.at(static_cast<std::size_t>(what.kind));
    return run::job_queue::create(std::move(what), pool, environment_now());
}

run::pool_state engine::state(model::worker_kind kind) const {
    return pools_.at(static_cast<std::size_t>(kind))->state();
}

bool engine::shutdown(run::nanoseconds patience) {
    std::vector<std::shared_ptr<run::worker>> leaving;
    for (const auto& pool : pools_)
        for (auto& one : pool->take_all())
            leaving.push_back(std::move(one));
    for (const auto& one : leaving)
        one->retire();
    const auto until = os::now() + patience;
    bool all = true;
    for (const auto& one : leaving)
        all = one->wait_until_ended(std::max(until - os::now(), run::nanoseconds{0})) && all;
    return all;
}

} // namespace xcores::executors
