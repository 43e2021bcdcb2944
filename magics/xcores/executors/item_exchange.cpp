// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/executors/item_exchange.hpp>

#include <xcores/executors/own_forks.hpp>

#include <utility>

namespace xcores::executors {

using wire::kind;

std::optional<run::item_chunk> remote_feed::take() {
    if (is_copy())
        end_copy({});
    wire::send(socket_, kind::next);
    auto answer = inbox_.receive();
    if (!answer || answer->what != kind::items)
        return std::nullopt;
    const auto& sizes = answer->fields.at("sizes");
    if (sizes.empty())
        return std::nullopt;
    run::item_chunk chunk;
    chunk.first = answer->fields.at("first");
    std::string_view data = answer->content.data;
    auto buffer = answer->content.buffers.begin();
    for (const auto& size : sizes) {
        auto item = std::make_shared<run::payload>();
        item->data = data.substr(0, size.at(0).get<std::size_t>());
        data.remove_prefix(item->data.size());
        for (auto left = size.at(1).get<std::size_t>(); left > 0; --left)
            item->buffers.push_back(std::move(*buffer++));
        chunk.items.push_back(std::move(item));
    }
    return chunk;
}

bool remote_feed::done(std::int64_t index, run::reply how) {
    if (is_copy())
        end_copy(how.how);
    auto buffers = std::exchange(how.output.buffers, {});
    const bool asks = how.how.kind == model::outcome_kind::interrupted;
    auto bytes = packed({index, std::move(how)});
    if (!asks && buffers.empty() && results_.put(bytes))
        return true;
    return deliver({std::move(bytes), std::move(buffers)});
}

bool remote_feed::deliver(const run::payload& last) {
    wire::send(socket_, kind::results, {}, {&last, nullptr, {}});
    const auto answer = inbox_.receive(); // until then the outbox is being read
    return answer && answer->fields.value("goes_on", false);
}

bool accept_results(run::item_feed& feed, outbox& results, wire::message message) {
    bool goes_on = true;
    for (auto& one : unpacked(results.take()))
        goes_on = feed.done(one.index, std::move(one.how));
    for (auto& one : unpacked(message.content.data)) {
        one.how.output.buffers = std::move(message.content.buffers);
        goes_on = feed.done(one.index, std::move(one.how));
    }
    return goes_on;
}

nlohmann::json taken_fields(bool goes_on) {
    return {{"goes_on", goes_on}};
}

void send_items(int socket, const std::optional<run::item_chunk>& chunk) {
    nlohmann::json fields = {{"sizes", nlohmann::json::array()}};
    run::payload content;
    if (chunk) {
        fields["first"] = chunk->first;
        for (const auto& item : chunk->items) {
            fields["sizes"].push_back({item->data.size(), item->buffers.size()});
            content.data += item->data;
            content.buffers.insert(content.buffers.end(), item->buffers.begin(), item->buffers.end());
        }
    }
    wire::send(socket, kind::items, fields, {&content, nullptr, {}});
}

} // namespace xcores::executors
