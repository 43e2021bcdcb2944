// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/executors/worker_process.hpp>

#include <unistd.h>

#include <nlohmann/json.hpp>

#include <xcores/executors/process.hpp>

namespace xcores::executors {
namespace {

class spawned_process final : public worker_process {
public:
    spawned_process(const python_description& python, const process_source::descriptors& at)
        : child_(command_of(python, "worker"), {{at.output, 1}, {at.errors, 2}, {at.socket, 3}, {at.log, 4}},
                 python.hash_seed) {}

    pid_t id() const noexcept override { return child_.id(); }
    int handle() const noexcept override { return child_.handle(); }
    void signal_group(int number) noexcept override { child_.signal_group(number); }
    os::exit_status wait() noexcept override { return child_.wait(); }

private:
    os::child_process child_;
};

class spawner final : public process_source {
public:
    explicit spawner(std::shared_ptr<const python_description> python) : python_(std::move(python)) {}

    started start(const descriptors& at, const std::shared_ptr<const run::payload>&, const std::stop_token&) override {
        return {std::make_unique<spawned_process>(*python_, at), false, false};
    }

private:
    const std::shared_ptr<const python_description> python_;
};

} // namespace

std::vector<std::string> command_of(const python_description& python, const std::string& role) {
    if (python.executable.empty())
        throw std::runtime_error("sys.executable is empty: process workers cannot be started without a python3");
    // Without `site`: the parent's path is given whole, nothing is left to find. And __main__ stays empty.
    constexpr auto start = R"(exec("""
import sys
sys.path.insert(0, sys.argv[1])
if sys.argv[4]:
    import os
    del os.environ[sys.argv[4]]
import _process_worker
sys.exit(_process_worker.run(int(sys.argv[2]), sys.argv[3] == "zygote"))
""", {}))";
    const auto variable = python.hash_seed.substr(0, python.hash_seed.find('='));
    return {python.executable, "-S", "-c", start, python.modules, std::to_string(::getpid()), role, variable};
}

nlohmann::json hello_of(const python_description& python) {
    return {{"prefix", python.prefix},
            {"base_prefix", python.base_prefix},
            {"path", python.path},
            {"worker_codes", nlohmann::json::binary({python.worker_codes.begin(), python.worker_codes.end()})}};
}

std::shared_ptr<process_source> make_spawner(std::shared_ptr<const python_description> python) {
    return std::make_shared<spawner>(std::move(python));
}

} // namespace xcores::executors
