// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <span>

namespace xcores::os {

struct replaced_import {
    const char* name;        ///< of the function
    const void* replacement; ///< of the same type; it calls the function itself by dlsym(3)
};

/// From now on the program or library that contains the address `inside` calls these functions instead of the ones
/// that it imports by name: its entries of the global offset table (ELF: relocations of DT_JMPREL and DT_RELA) are
/// overwritten, each by one atomic store. Other libraries are not affected. To be called once for the same functions.
///
/// - Thread: any, while other threads call the functions.
/// - Lifetime: the replacements stay loaded until the process ends.
/// - Failure: std::system_error, and nothing is changed: ENOENT where it imports none of one of the names (a static
///   program), EACCES and others where the table cannot be written.
void replace_imports(const void* inside, std::span<const replaced_import>);

} // namespace xcores::os
