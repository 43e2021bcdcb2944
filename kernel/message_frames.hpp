// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "signer.hpp"

#include <stdexcept>
#include <xeus/xmessage.hpp>
#include <zmq.hpp>
#include <zmq_addon.hpp>

namespace xcores::kernel {

/// What arrived is no message of the Jupyter protocol, or not signed with our key; the text says what is wrong.
struct bad_message : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// A message from the frames in which it came. Frames, signature and depth are checked first, in this order, so that
/// nothing is parsed that was not signed, and nothing that code which walks through it could not bear. The header is an
/// object with a "msg_id" and a "msg_type" that are strings; parent header and metadata are objects. The content is
/// what was sent, or null if it was no usable JSON: then there is a header to answer to.
///
/// - Failure: bad_message.
xeus::xmessage read_message(zmq::multipart_t frames, signer const& key);

/// The frames of a message to one client, and of one to all.
zmq::multipart_t frames_of(xeus::xmessage message, signer const& key, nlohmann::json::error_handler_t on_bad_text);
zmq::multipart_t frames_of(xeus::xpub_message message, signer const& key, nlohmann::json::error_handler_t on_bad_text);

/// Is the text nested no deeper than is safe? nlohmann's JSON is copied, compared and written by recursion.
bool is_shallow(std::string_view json) noexcept;

} // namespace xcores::kernel
