// SPDX-License-Identifier: BSD-3-Clause
#include "open_queues.hpp"

#include <algorithm>
#include <mutex>

namespace xcores::python {
namespace {

using std::chrono::nanoseconds;

struct queue_list {
    std::mutex mutex;
    std::vector<std::weak_ptr<run::job_queue>> queues;
};

queue_list*& the_list() {
    static auto* all = new queue_list; // workers left behind may outlive static destruction
    return all;
}

} // namespace

void note_open_queue(const std::shared_ptr<run::job_queue>& one) {
    auto& [mutex, queues] = *the_list();
    const std::lock_guard lock(mutex);
    std::erase_if(queues, [](const auto& other) { return other.expired(); });
    queues.push_back(one);
}

std::vector<std::shared_ptr<run::job_queue>> open_queues() {
    auto& [mutex, queues] = *the_list();
    const std::lock_guard lock(mutex);
    std::vector<std::shared_ptr<run::job_queue>> alive;
    for (const auto& one : queues)
        if (auto queue = one.lock())
            alive.push_back(std::move(queue));
    return alive;
}

// What there is stays where it is. The list's lock may be held for ever, but not by a thread that changes the list:
// these have the GIL, as the one that forks has. And to end a queue is to wait for threads that only the parent has.
void forget_queues() {
    auto* kept = new std::vector<std::shared_ptr<run::job_queue>>;
    for (const auto& one : the_list()->queues)
        if (auto queue = one.lock())
            kept->push_back(std::move(queue));
    the_list() = new queue_list;
}

void drain() {
    const auto open = open_queues();
    for (const auto& one : open)
        one->close();
    for (const auto& one : open)
        wait_for({}, [&](nanoseconds time) { return one->wait(time); });
}

bool stop_running(std::vector<std::shared_ptr<run::job_queue>> some) {
    std::erase_if(some, [](const auto& one) { return one->kind() == model::worker_kind::threads; });
    constexpr auto patience = std::chrono::milliseconds{500};
    const py::gil_scoped_release let_go;
    const auto all_over = [&] {
        const auto until = os::now() + patience;
        for (const auto& one : some)
            while (!one->left_by_all() && os::now() < until)
                one->wait(until - os::now());
        return std::ranges::all_of(some, [](const auto& one) { return one->left_by_all(); });
    };
    for (const auto& one : some) {
        one->cancel_all();
        one->interrupt(nullptr);
    }
    if (all_over())
        return true;
    for (const auto& one : some)
        one->terminate_running();
    return all_over();
}

} // namespace xcores::python
