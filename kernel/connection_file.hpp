// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <stdexcept>
#include <string>
#include <xeus/xkernel_configuration.hpp>

namespace xcores::kernel {

/// The connection file is missing or not as the protocol describes it; the text names the file and the fault.
struct connection_file_error : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// xeus's own reader takes every field for granted, and ends the process where one is missing.
/// Failure: connection_file_error.
xeus::xkernel_configuration read_connection_file(std::string const& name);

} // namespace xcores::kernel
