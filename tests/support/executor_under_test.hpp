// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <xcores/run/job.hpp>
#include <xcores/run/session.hpp>

/// What the contract suite needs of an executor: the fake one and the real ones provide it, each in its own test
/// program.
namespace xcores::test {

/// Until a wait is given up; a busy virtual machine may stand still for half a minute.
constexpr auto patience = std::chrono::seconds{90};

/// Programs with known behaviour that every executor can run, by name:
///   answer      its result is "42" and its payload "worker I of N"
///   raise       raises ValueError("bad")
///   refuse      cannot be prepared: "no such data"
///   import      takes 5 ms to be prepared, and says that all of that went into imports; then as answer
///   import a little   the same with half a millisecond
///   boast       says that an hour went into imports; then as answer
///   spin        runs for ever; can be interrupted
///   stubborn    runs for ever; cannot be interrupted from when it has written "here to stay"
///   chatter     writes 20000 lines "line 0"…, to standard output, and "done" to standard error
///   work        uses its core for about 50 ms of CPU time
///   each        runs, for each item, the program that the item names; its payload is "item I", with the item's buffers
///               as one
struct executor_under_test {
    std::string name;
    model::worker_kind kind;
    std::shared_ptr<run::pool> pool;
    bool can_terminate; ///< a stubborn worker can be ended by force
};

/// The executors of this test program.
std::vector<std::string> executor_names();
executor_under_test make_executor(const std::string& name);

/// The input that makes a worker run the program called so.
std::shared_ptr<const run::payload> program(const std::string& name);

/// What jobs can call, by name:
///   echo        gives back its argument, a text
///   raise       raises ValueError("bad") if its argument is "bad", else as echo
///   read        waits until the named pipe whose path is its argument can be read, and gives back what it reads
///   die         ends the process of the worker (for executors that can be terminated)
std::shared_ptr<const run::function> job_function(const executor_under_test&, const std::string& name);
run::payload job_input(const executor_under_test&, const std::string& argument);
std::vector<std::string> results_of(const executor_under_test&, const run::answer&);

/// Starts one worker a program.
std::shared_ptr<run::session> start(const executor_under_test&, const std::vector<std::string>& programs,
                                    run::plan = {});

/// Starts `workers` workers on items.
std::shared_ptr<run::session> start_on(const executor_under_test&, int workers, std::shared_ptr<run::item_queue>,
                                       run::plan = {});

/// Waits for the end, fetching output. Fails the test after 30 s.
std::vector<run::output_chunk> finish(run::session&);

/// Waits until a worker has written something. Fails the test after 30 s.
void wait_for_output(run::session&);

/// Waits until all workers are as wished. Fails the test after 30 s.
void wait_until(const run::session&, const std::function<bool(const model::worker_record&)>& wish);

/// Every worker is in its program, so that an interrupt meets it there.
inline bool runs(const model::worker_record& worker) {
    return worker.run.has_value();
}

} // namespace xcores::test
