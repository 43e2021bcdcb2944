// SPDX-License-Identifier: BSD-3-Clause
#include "build_info.hpp"
#include "command_line.hpp"
#include "connection_file.hpp"
#include "interpreter.hpp"
#include "python_runtime.hpp"
#include "server.hpp"

#include <csignal>
#include <filesystem>
#include <iostream>
#include <xeus-zmq/xzmq_context.hpp>
#include <xeus/xkernel.hpp>

namespace {

using namespace xcores::kernel;

/// xeus keeps a history of its own, for a request that our Python half answers from IPython's.
class no_history final : public xeus::xhistory_manager {
    void configure_impl() override {}
    void store_inputs_impl(int, int, std::string const&, std::string const&) override {}
    nlohmann::json get_tail_impl(int, bool, bool) const override { return {}; }
    nlohmann::json get_range_impl(int, int, int, bool, bool) const override { return {}; }
    nlohmann::json search_impl(std::string const&, bool, bool, int, bool) const override { return {}; }
};

void run(xeus::xconfiguration const& config) {
    // Used by a thread that ends with the process, hence never destroyed.
    static interrupts running;
    static shutdown stop(running);

    python_runtime const python(std::filesystem::read_symlink("/proc/self/exe"));
    auto owned = std::make_unique<interpreter>(running, stop);
    auto& interpreter = *owned;
    server* connected = nullptr;
    auto const make_server = [&](xeus::xcontext& context, xeus::xconfiguration const& where, auto on_bad_text) {
        auto made = std::make_unique<server>(context, where, on_bad_text, interpreter, stop);
        connected = made.get();
        interpreter.connect(*made);
        return made;
    };
    xeus::xkernel kernel(config, xeus::get_user_name(), xeus::make_zmq_context(), std::move(owned), make_server,
                         std::make_unique<no_history>(), nullptr, xeus::make_null_debugger, nlohmann::json::object(),
                         nlohmann::json::error_handler_t::replace);
    {
        parent_watch const watch([&] {
            stop.request();
            connected->stop();
        });
        kernel.start();
    }
    interpreter.close();
}

} // namespace

int main(int argc, char** argv) {
    auto const blocked = signal_scope::blocked(); // every thread inherits this, so that signals reach the main thread
    std::signal(SIGINT,
                SIG_DFL); // who starts us in the background of a shell has it ignored, and Python would leave it so
    std::clog.setstate(std::ios_base::failbit); // xeus greets there
    try {
        auto const command_line = parse_command_line(argc, argv);
        if (command_line.wanted == action::show_help) {
            std::cout << help_text();
        } else if (command_line.wanted == action::show_version) {
            std::cout << "xcores " << build_info::version << "\n";
        } else {
            run(read_connection_file(command_line.connection_file));
        }
        return 0;
    } catch (usage_error const& error) {
        std::cerr << "xcores: " << error.what() << "\n\n" << help_text();
        return 2;
    } catch (connection_file_error const& error) {
        std::cerr << "xcores: " << error.what() << std::endl;
        return 2;
    } catch (std::exception const& error) {
        std::cerr << "xcores: " << error.what() << std::endl;
        return 1;
    }
}
