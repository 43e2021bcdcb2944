// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/os/error_text.hpp>

#include <system_error>

namespace xcores::os {

std::string text_of(const std::exception& error) {
    const auto* const of_system = dynamic_cast<const std::system_error*>(&error);
    const bool no_descriptors = of_system && (of_system->code() == std::errc::too_many_files_open ||
                                              of_system->code() == std::errc::too_many_files_open_in_system);
    return no_descriptors ? std::string(error.what()) +
                                " (`%xcores reset` ends idle workers, `ulimit -n` before the start allows more files)"
                          : error.what();
}

} // namespace xcores::os
