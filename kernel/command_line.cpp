// SPDX-License-Identifier: BSD-3-Clause
#include "command_line.hpp"

#include <span>
#include <string_view>

namespace xcores::kernel {

std::string help_text() {
    return "usage: xcores [--allow-unsigned] -f CONNECTION_FILE\n"
           "\n"
           "The Jupyter kernel \"Python (xcores)\". Jupyter starts it; by hand: jupyter console --kernel xcores\n"
           "\n"
           "  -f FILE           the connection file that Jupyter wrote\n"
           "  --allow-unsigned  accept a connection file without a key: anybody who can connect can run code\n"
           "  --version         print the version\n"
           "  -h, --help        print this\n";
}

command_line parse_command_line(int argc, char const* const* argv) {
    command_line result;
    std::span<char const* const> arguments(argv, static_cast<std::size_t>(argc));
    for (std::size_t i = 1; i < arguments.size(); ++i) {
        std::string_view const argument = arguments[i];
        if (argument == "-h" || argument == "--help") {
            result.wanted = action::show_help;
            return result;
        }
        if (argument == "--version") {
            result.wanted = action::show_version;
            return result;
        }
        if (argument == "--allow-unsigned") {
            result.allow_unsigned = true;
            continue;
        }
        if (argument != "-f") {
            throw usage_error("unknown argument: " + std::string(argument));
        }
        if (++i == arguments.size()) {
            throw usage_error("-f needs the name of a connection file");
        }
        result.connection_file = arguments[i];
    }
    if (result.connection_file.empty()) {
        throw usage_error("the connection file is missing");
    }
    return result;
}

} // namespace xcores::kernel
