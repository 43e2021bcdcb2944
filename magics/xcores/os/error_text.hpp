// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <exception>
#include <string>

namespace xcores::os {

/// What went wrong, for people; where the limit of open files is the cause, also what helps.
std::string text_of(const std::exception&);

} // namespace xcores::os
