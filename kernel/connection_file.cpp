// SPDX-License-Identifier: BSD-3-Clause
#include "connection_file.hpp"

#include "command_line.hpp"
#include "signer.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

namespace xcores::kernel {

namespace {

std::string port_in(nlohmann::json const& file, char const* name) {
    auto const& port = file.at(name);
    constexpr int highest = 65535;
    if (!port.is_number_integer() || port < 1 || port > highest) {
        throw std::invalid_argument(std::string(name) + " is " + port.dump() + ", not a port number");
    }
    return std::to_string(port.get<int>());
}

void check(xeus::xkernel_configuration const& config) {
    if (config.m_transport != "tcp" && config.m_transport != "ipc") {
        throw std::invalid_argument("transport is \"" + config.m_transport + "\", not \"tcp\" or \"ipc\"");
    }
    if (config.m_key.empty() && !std::getenv(allow_unsigned_variable)) {
        throw std::invalid_argument("key is empty: anybody who can connect could run code; `xcores --allow-unsigned` "
                                    "or the environment variable " +
                                    std::string(allow_unsigned_variable) + " allows that");
    }
    if (config.m_signature_scheme == signer::none) {
        throw std::invalid_argument("signature_scheme \"none\" with a key");
    }
    signer const checked(config.m_signature_scheme, config.m_key);
}

} // namespace

xeus::xkernel_configuration read_connection_file(std::string const& name) {
    if (!std::filesystem::is_regular_file(name)) {
        throw connection_file_error("there is no connection file " + name);
    }
    try {
        std::ifstream stream(name);
        auto const file = nlohmann::json::parse(stream);
        xeus::xkernel_configuration result;
        result.m_transport = file.at("transport").get<std::string>();
        result.m_ip = file.at("ip").get<std::string>();
        result.m_key = file.at("key").get<std::string>();
        result.m_signature_scheme = file.value("signature_scheme", "hmac-sha256");
        result.m_control_port = port_in(file, "control_port");
        result.m_shell_port = port_in(file, "shell_port");
        result.m_stdin_port = port_in(file, "stdin_port");
        result.m_iopub_port = port_in(file, "iopub_port");
        result.m_hb_port = port_in(file, "hb_port");
        check(result);
        if (result.m_key.empty()) {
            result.m_signature_scheme = signer::none; // otherwise xeus would make up a key that nobody knows
        }
        return result;
    } catch (std::exception const& error) {
        throw connection_file_error("the connection file " + name + " cannot be used: " + error.what());
    }
}

} // namespace xcores::kernel
