// SPDX-License-Identifier: BSD-3-Clause
#include "python_runtime.hpp"

#include "build_info.hpp"

#include <pybind11/embed.h>

#include <cstdlib>
#include <sstream>
#include <string>
#include <unistd.h>
#include <vector>

namespace xcores::kernel {

namespace py = pybind11;
namespace fs = std::filesystem;

namespace {

void check(PyStatus const& status) {
    if (PyStatus_Exception(status) == 0) {
        return;
    }
    std::string text = status.func != nullptr ? std::string(status.func) + ": " : std::string();
    text += status.err_msg != nullptr ? status.err_msg : "exit code " + std::to_string(status.exitcode);
    throw python_error("Python does not start: " + text);
}

/// PyConfig owns C strings: cleared on every path.
class configuration {
public:
    configuration() { PyConfig_InitPythonConfig(&config_); }
    ~configuration() { PyConfig_Clear(&config_); }
    configuration(configuration const&) = delete;
    configuration& operator=(configuration const&) = delete;

    void set(wchar_t* PyConfig::* field, std::string const& value) {
        check(PyConfig_SetBytesString(&config_, &(config_.*field), value.c_str()));
    }
    void set_arguments(char const* program) {
        char* arguments[] = {const_cast<char*>(program)};
        config_.parse_argv = 0;
        check(PyConfig_SetBytesArgv(&config_, 1, arguments));
    }
    void start() { check(Py_InitializeFromConfig(&config_)); }

private:
    PyConfig config_;
};

bool is_program(fs::path const& path) {
    std::error_code ignored;
    return fs::is_regular_file(path, ignored) && access(path.c_str(), X_OK) == 0;
}

/// The python3 that belongs to the libpython in this process: an active virtual environment's, the one beside us (as
/// in a conda environment), the one we were built with, or the first on the path. Empty if there is none.
fs::path matching_python(fs::path const& executable) {
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

void add_own_packages(fs::path const& executable) {
    fs::path const packages =
        executable.parent_path().parent_path() / "lib" / build_info::python_name / "site-packages";
    std::error_code ignored;
    if (fs::is_directory(packages, ignored)) {
        // site.addsitedir, not a bare path: .pth files of an editable install count too.
        py::module_::import("site").attr("addsitedir")(packages.string());
    }
}

} // namespace

python_runtime::python_runtime(fs::path const& executable) {
    configuration config;
    config.set_arguments(executable.c_str());
    if (auto const python = matching_python(executable); !python.empty()) {
        config.set(&PyConfig::program_name, python.string());
        config.set(&PyConfig::executable, python.string());
    }
    config.start();
    try {
        add_own_packages(executable);
    } catch (py::error_already_set const& error) {
        throw python_error(std::string("Python's search path: ") + error.what());
    }
    main_thread_ = PyEval_SaveThread();
}

python_runtime::~python_runtime() {
    PyEval_RestoreThread(main_thread_);
    py::finalize_interpreter();
}

} // namespace xcores::kernel
