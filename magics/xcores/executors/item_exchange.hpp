// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <xcores/executors/outbox.hpp>
#include <xcores/executors/wire.hpp>

/// How the items of a mapped cell go to a process worker and its results come back: over the socket, one exchange a
/// chunk, with the small results beside it in the outbox.
namespace xcores::executors {

/// The worker's side: asks the kernel. Failure: std::system_error; what the kernel does not answer is over.
class remote_feed final : public run::item_feed {
public:
    remote_feed(int socket, wire::inbox& inbox, outbox& results) : socket_(socket), inbox_(inbox), results_(results) {}

    std::optional<run::item_chunk> take() override;
    std::optional<run::item_chunk> try_take() override { return std::nullopt; }
    bool done(std::int64_t index, run::reply) override;

private:
    bool deliver(const run::payload& last);

    int socket_;
    wire::inbox& inbox_;
    outbox& results_;
};

/// The kernel's side: what the worker wrote goes to `feed`; `message` is of kind results, or the last it said. False:
/// nothing more is to be run.
bool accept_results(run::item_feed& feed, outbox& results, wire::message message = {});

/// Answers a message of kind results.
nlohmann::json taken_fields(bool goes_on);

/// Answers a message of kind next.
void send_items(int socket, const std::optional<run::item_chunk>&);

} // namespace xcores::executors
