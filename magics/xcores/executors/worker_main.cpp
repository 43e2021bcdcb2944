// SPDX-License-Identifier: BSD-3-Clause
// The program of a process worker: embeds Python, takes tasks from its socket, samples itself into memory that it
// shares with the process that started it, and ends when that does. As a zygote it forks such workers instead.
#include <cstdlib>
#include <string_view>

#include <xcores/executors/worker_program.hpp>
#include <xcores/executors/zygote.hpp>

namespace {

using namespace xcores::executors;

void work(const nlohmann::json& hello, wire::inbox& inbox) {
    worker_program worker(hello);
    worker.serve(inbox);
    worker.end();
}

} // namespace

int main(int argc, char** argv) {
    const bool zygote = argc == 3 && std::string_view(argv[2]) == "--zygote";
    if (argc != 2 && !zygote) {
        std::fputs("xcores-worker is started by xcores; it is of no use by itself\n", stderr);
        return 2;
    }
    try {
        const auto parent = static_cast<pid_t>(std::atol(argv[1]));
        if (zygote)
            end_with_socket();
        else
            end_with_parent(parent);
        wire::inbox inbox(worker_socket_fd);
        if (const auto hello = inbox.receive())
            zygote ? be_zygote(hello->fields, inbox, parent) : work(hello->fields, inbox);
    } catch (const std::exception& error) {
        try {
            wire::send(worker_socket_fd, wire::kind::failed, {{"message", error.what()}});
        } catch (const std::exception&) {
            std::fputs(error.what(), stderr);
        }
        return 1;
    }
    return 0;
}
