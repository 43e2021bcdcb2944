// SPDX-License-Identifier: BSD-3-Clause
// The program that Jupyter starts: says what is wrong with its arguments, or becomes Python with the kernel in it.
#include "build_info.hpp"
#include "command_line.hpp"
#include "interrupts.hpp"
#include "python_program.hpp"

#include <csignal>
#include <cstdlib>
#include <iostream>

namespace {

using namespace xcores::kernel;

int start(std::string const& connection_file) {
    auto const executable = std::filesystem::read_symlink("/proc/self/exe");
    auto const python = find_python(executable);
    if (python.empty()) {
        std::cerr << "xcores: there is no " << build_info::python_name << " beside " << executable
                  << ", on the PATH or in an active environment\n";
        return 1;
    }
    auto const blocked = signal_scope::blocked(); // every thread inherits this, so that signals reach the main thread
    // Who starts us in the background of a shell has it ignored, and Python would leave it so.
    std::signal(SIGINT, SIG_DFL);
    become_python(python, executable, connection_file);
}

} // namespace

int main(int argc, char** argv) {
    try {
        auto const command_line = parse_command_line(argc, argv);
        if (command_line.wanted == action::show_help) {
            std::cout << help_text();
        } else if (command_line.wanted == action::show_version) {
            std::cout << "xcores " << build_info::version << "\n";
        } else {
            if (command_line.allow_unsigned) {
                setenv(allow_unsigned_variable, "1", 1); // what is started next reads the file
            }
            return start(command_line.connection_file);
        }
        return 0;
    } catch (usage_error const& error) {
        std::cerr << "xcores: " << error.what() << "\n\n" << help_text();
        return 2;
    } catch (std::exception const& error) {
        std::cerr << "xcores: " << error.what() << std::endl;
        return 1;
    }
}
