// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/executors/worker_process.hpp>

#include <xcores/executors/process.hpp>

namespace xcores::executors {
namespace {

class spawned_process final : public worker_process {
public:
    spawned_process(const std::vector<std::string>& command, const process_source::descriptors& at)
        : child_(command, {{at.output, 1}, {at.errors, 2}, {at.socket, 3}, {at.log, 4}}) {}

    pid_t id() const noexcept override { return child_.id(); }
    void signal(int number) noexcept override { child_.signal(number); }
    os::exit_status wait() noexcept override { return child_.wait(); }

private:
    os::child_process child_;
};

class spawner final : public process_source {
public:
    explicit spawner(std::shared_ptr<const python_description> python) : python_(std::move(python)) {}

    started start(const descriptors& at, const std::shared_ptr<const run::payload>&) override {
        return {std::make_unique<spawned_process>(command_of(*python_, "worker"), at), false, false};
    }

private:
    const std::shared_ptr<const python_description> python_;
};

} // namespace

std::shared_ptr<process_source> make_spawner(std::shared_ptr<const python_description> python) {
    return std::make_shared<spawner>(std::move(python));
}

} // namespace xcores::executors
