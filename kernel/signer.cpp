// SPDX-License-Identifier: BSD-3-Clause
#include "signer.hpp"

#include <array>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdexcept>

namespace xcores::kernel {

namespace {

constexpr std::string_view prefix = "hmac-";

struct free_mac {
    void operator()(EVP_MAC* mac) const noexcept { EVP_MAC_free(mac); }
};
struct free_context {
    void operator()(EVP_MAC_CTX* context) const noexcept { EVP_MAC_CTX_free(context); }
};
using context_ptr = std::unique_ptr<EVP_MAC_CTX, free_context>;

context_ptr context_with(std::string digest, std::string const& key) {
    std::unique_ptr<EVP_MAC, free_mac> const mac(EVP_MAC_fetch(nullptr, "HMAC", nullptr));
    context_ptr context(mac ? EVP_MAC_CTX_new(mac.get()) : nullptr);
    OSSL_PARAM const parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest.data(), 0),
                                     OSSL_PARAM_construct_end()};
    auto const* const bytes = reinterpret_cast<unsigned char const*>(key.data());
    if (!context || EVP_MAC_init(context.get(), bytes, key.size(), parameters) != 1) {
        return nullptr;
    }
    return context;
}

std::string hexadecimal(std::span<unsigned char const> bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (unsigned const byte : bytes) {
        text += digits[byte / 16];
        text += digits[byte % 16];
    }
    return text;
}

} // namespace

signer::signer(std::string const& scheme, std::string const& key) {
    if (key.empty() || scheme == none) {
        return;
    }
    auto context = scheme.starts_with(prefix) ? context_with(scheme.substr(prefix.size()), key) : nullptr;
    if (!context) {
        throw std::invalid_argument("unknown signature_scheme \"" + scheme + "\" (\"hmac-sha256\" is the usual one)");
    }
    keyed_ = std::move(context);
}

std::string signer::sign(std::span<std::string_view const> parts) const {
    if (!keyed_) {
        return {};
    }
    context_ptr const context(EVP_MAC_CTX_dup(static_cast<EVP_MAC_CTX*>(keyed_.get())));
    bool done = context != nullptr;
    for (auto const part : parts) {
        done = done && EVP_MAC_update(context.get(), reinterpret_cast<unsigned char const*>(part.data()), part.size());
    }
    std::array<unsigned char, EVP_MAX_MD_SIZE> bytes;
    std::size_t size = 0;
    if (!done || EVP_MAC_final(context.get(), bytes.data(), &size, bytes.size()) != 1) {
        throw std::runtime_error("a message could not be signed");
    }
    return hexadecimal(std::span(bytes).first(size));
}

bool signer::is_right(std::string_view signature, std::span<std::string_view const> parts) const {
    auto const expected = sign(parts);
    return !keyed_ || (signature.size() == expected.size() &&
                       CRYPTO_memcmp(signature.data(), expected.data(), expected.size()) == 0);
}

} // namespace xcores::kernel
