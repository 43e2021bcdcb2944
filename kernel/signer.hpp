// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace xcores::kernel {

/// Signs messages with the key of the connection file, and checks signatures.
///
/// - Thread: any.
class signer {
public:
    static constexpr std::string_view none = "none";

    /// An empty key, or the scheme `none`: messages are not signed. Failure: std::invalid_argument for a scheme that
    /// there is not.
    signer(std::string const& scheme, std::string const& key);

    /// In hexadecimal digits; empty where messages are not signed. Failure: std::runtime_error.
    std::string sign(std::span<std::string_view const> parts) const;

    bool is_right(std::string_view signature, std::span<std::string_view const> parts) const;

private:
    std::shared_ptr<void> keyed_; // OpenSSL's context, made ready with the key; never changed, only copied
};

} // namespace xcores::kernel
