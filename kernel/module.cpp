// SPDX-License-Identifier: BSD-3-Clause
// The kernel, as a module of the Python that runs it, `_xcores_kernel`. Its Python half finds the C++ half here too.
#include "bridge.hpp"
#include "connection_file.hpp"
#include "interpreter.hpp"
#include "process_group.hpp"
#include "server.hpp"

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <pybind11/pybind11.h>
#include <sys/prctl.h>
#include <unistd.h>
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

void serve(xeus::xconfiguration const& config) {
    // Used by a thread that ends with the process, hence never destroyed.
    static interrupts running;
    static shutdown stop(running);

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

pid_t kernel_process = 0; // and not a fork of it

/// The exit status of the process.
int run(std::filesystem::path const& connection_file) {
    kernel_process = getpid();
    std::atexit([] { // when Python and its exit handlers have had their end
        if (getpid() == kernel_process) {
            end_children();
        }
    });
    prctl(PR_SET_NAME, "xcores");               // in the lists of top and htop
    std::clog.setstate(std::ios_base::failbit); // xeus greets there
    try {
        serve(read_connection_file(connection_file));
        return 0;
    } catch (connection_file_error const& error) {
        std::cerr << "xcores: " << error.what() << std::endl;
        return 2;
    } catch (std::exception const& error) {
        std::cerr << "xcores: " << error.what() << std::endl;
        return 1;
    }
}

} // namespace

PYBIND11_MODULE(_xcores_kernel, module) {
    define_bridge(module);
    module.def(
        "run", [](std::string const& connection_file) { return run(connection_file); },
        pybind11::call_guard<pybind11::gil_scoped_release>(), pybind11::arg("connection_file"),
        "Serves Jupyter until it asks for the end; the exit status. On the main thread, with all signals blocked.");
}
