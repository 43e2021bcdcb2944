// SPDX-License-Identifier: BSD-3-Clause
#include "connection_file.hpp"

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

namespace xcores::kernel {

xeus::xkernel_configuration read_connection_file(std::string const& name) {
    if (!std::filesystem::is_regular_file(name)) {
        throw connection_file_error("there is no connection file " + name);
    }
    try {
        std::ifstream stream(name);
        auto const file = nlohmann::json::parse(stream);
        auto const port = [&file](char const* which) { return std::to_string(file.at(which).get<int>()); };
        xeus::xkernel_configuration result;
        result.m_transport = file.at("transport").get<std::string>();
        result.m_ip = file.at("ip").get<std::string>();
        result.m_key = file.at("key").get<std::string>();
        // An empty key means that messages are not signed; xeus would make up a key that nobody knows.
        result.m_signature_scheme = result.m_key.empty() ? "none" : file.value("signature_scheme", "hmac-sha256");
        result.m_control_port = port("control_port");
        result.m_shell_port = port("shell_port");
        result.m_stdin_port = port("stdin_port");
        result.m_iopub_port = port("iopub_port");
        result.m_hb_port = port("hb_port");
        return result;
    } catch (nlohmann::json::exception const& error) {
        throw connection_file_error("the connection file " + name + " cannot be used: " + error.what());
    }
}

} // namespace xcores::kernel
