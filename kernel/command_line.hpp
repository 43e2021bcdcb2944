// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <stdexcept>
#include <string>

namespace xcores::kernel {

enum class action { run, show_help, show_version };

struct command_line {
    action wanted = action::run;
    std::string connection_file;
    bool allow_unsigned = false;
};

/// Set in the environment: a connection file without a key is accepted.
constexpr auto allow_unsigned_variable = "XCORES_ALLOW_UNSIGNED";

/// The command line cannot be understood; the text says how it is used.
struct usage_error : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// Failure: usage_error.
command_line parse_command_line(int argc, char const* const* argv);

std::string help_text();

} // namespace xcores::kernel
