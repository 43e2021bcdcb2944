// SPDX-License-Identifier: BSD-3-Clause
#include "python_program.hpp"

#include "build_info.hpp"

#include <cerrno>
#include <cstdlib>
#include <sstream>
#include <system_error>
#include <unistd.h>
#include <vector>

namespace xcores::kernel {

namespace fs = std::filesystem;

namespace {

// Nothing of it is left to see: not in __main__, which is the user's, and not in the search path.
char const* const start_kernel = R"(exec("""
import sys
import site
if not sys.flags.safe_path:
    del sys.path[0]
program, packages, connection_file = sys.argv[1:]
sys.argv[:] = [program]
site.addsitedir(packages)
import _xcores_kernel
sys.exit(_xcores_kernel.run(connection_file))
""", {}))";

bool is_program(fs::path const& path) {
    std::error_code ignored;
    return fs::is_regular_file(path, ignored) && access(path.c_str(), X_OK) == 0;
}

} // namespace

fs::path find_python(fs::path const& executable) {
    std::vector<fs::path> candidates;
    if (char const* environment = std::getenv("VIRTUAL_ENV")) {
        candidates.push_back(fs::path(environment) / "bin" / build_info::python_name);
    }
    candidates.push_back(executable.parent_path() / build_info::python_name);
    candidates.push_back(build_info::python_executable);
    if (char const* path = std::getenv("PATH")) {
        std::istringstream folders(path);
        for (std::string folder; std::getline(folders, folder, ':');) {
            candidates.push_back(fs::path(folder) / build_info::python_name);
        }
    }
    for (auto const& candidate : candidates) {
        if (is_program(candidate)) {
            return candidate;
        }
    }
    return {};
}

void become_python(fs::path const& python, fs::path const& executable, std::string const& connection_file) {
    // site.addsitedir, not a bare path: .pth files of an editable install count too.
    auto const packages = executable.parent_path().parent_path() / build_info::packages;
    std::vector<char const*> arguments{
        python.c_str(), "-c", start_kernel, executable.c_str(), packages.c_str(), connection_file.c_str(), nullptr};
    execv(python.c_str(), const_cast<char* const*>(arguments.data()));
    throw std::system_error(errno, std::generic_category(), "starting " + python.string());
}

} // namespace xcores::kernel
