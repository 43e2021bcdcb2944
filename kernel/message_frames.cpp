// SPDX-License-Identifier: BSD-3-Clause
#include "message_frames.hpp"

#include <array>
#include <string_view>
#include <utility>

namespace xcores::kernel {

namespace nl = nlohmann;

namespace {

constexpr std::string_view delimiter = "<IDS|MSG>";
/// After the delimiter: the signature and what it signs, which are header, parent header, metadata and content.
constexpr std::size_t signed_parts = 4;

std::string_view text_of(zmq::message_t const& frame) {
    return {frame.data<char>(), frame.size()};
}

nl::json parse(std::string_view text) {
    return is_shallow(text) ? nl::json::parse(text, nullptr, false) : nl::json(nl::json::value_t::discarded);
}

nl::json header_in(std::string_view text) {
    auto header = parse(text);
    if (!header.is_object()) {
        throw bad_message("its header is not an object");
    }
    for (char const* const name : {"msg_id", "msg_type"}) {
        auto const field = header.find(name);
        if (field == header.end() || !field->is_string()) {
            throw bad_message(std::string("its header has no text as ") + name);
        }
    }
    return header;
}

nl::json object_in(std::string_view text) {
    auto object = parse(text);
    return object.is_object() ? object : nl::json::object();
}

nl::json content_in(std::string_view text) {
    auto content = parse(text);
    return content.is_discarded() ? nl::json() : content;
}

/// Adds the signature and what it signs, and the buffers.
void append(zmq::multipart_t& frames, xeus::xmessage_base const& message, signer const& key,
            nl::json::error_handler_t on_bad_text) {
    std::array<std::string, signed_parts> texts;
    std::array<std::string_view, signed_parts> views;
    std::array<nl::json const*, signed_parts> const parts{&message.header(), &message.parent_header(),
                                                          &message.metadata(), &message.content()};
    for (std::size_t i = 0; i < signed_parts; ++i) {
        texts[i] = parts[i]->dump(-1, ' ', false, on_bad_text);
        views[i] = texts[i];
    }
    frames.addstr(key.sign(views));
    for (auto const& text : texts) {
        frames.addstr(text);
    }
    for (auto const& buffer : message.buffers()) {
        frames.addmem(buffer.data(), buffer.size());
    }
}

} // namespace

bool is_shallow(std::string_view json) noexcept {
    constexpr int deepest = 500;
    int depth = 0;
    bool quoted = false;
    for (std::size_t i = 0; i < json.size(); ++i) {
        char const character = json[i];
        if (quoted) {
            i += character == '\\';
            quoted = character != '"';
        } else if (character == '"') {
            quoted = true;
        } else if (character == '[' || character == '{') {
            if (++depth > deepest) {
                return false;
            }
        } else if (character == ']' || character == '}') {
            --depth;
        }
    }
    return true;
}

xeus::xmessage read_message(zmq::multipart_t frames, signer const& key) {
    xeus::xmessage::guid_list client;
    while (!frames.empty() && text_of(frames.at(0)) != delimiter) {
        client.push_back(frames.popstr());
    }
    constexpr std::size_t least = 1 + 1 + signed_parts; // delimiter, signature
    if (client.empty() || frames.size() < least) {
        throw bad_message("it lacks frames");
    }
    std::array<std::string_view, signed_parts> parts;
    for (std::size_t i = 0; i < signed_parts; ++i) {
        parts[i] = text_of(frames.at(2 + i));
    }
    if (!key.is_right(text_of(frames.at(1)), parts)) {
        throw bad_message("its signature is wrong");
    }
    xeus::buffer_sequence buffers;
    for (std::size_t i = least; i < frames.size(); ++i) {
        auto const bytes = text_of(frames.at(i));
        buffers.emplace_back(bytes.begin(), bytes.end());
    }
    return {client,
            header_in(parts[0]),
            object_in(parts[1]),
            object_in(parts[2]),
            content_in(parts[3]),
            std::move(buffers)};
}

zmq::multipart_t frames_of(xeus::xmessage message, signer const& key, nl::json::error_handler_t on_bad_text) {
    zmq::multipart_t frames;
    for (auto const& identity : message.identities()) {
        frames.addstr(identity);
    }
    frames.addstr(std::string(delimiter));
    append(frames, message, key, on_bad_text);
    return frames;
}

zmq::multipart_t frames_of(xeus::xpub_message message, signer const& key, nl::json::error_handler_t on_bad_text) {
    zmq::multipart_t frames;
    frames.addstr(message.topic());
    frames.addstr(std::string(delimiter));
    append(frames, message, key, on_bad_text);
    return frames;
}

} // namespace xcores::kernel
