// SPDX-License-Identifier: BSD-3-Clause
#include "process_group.hpp"

#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

namespace xcores::kernel {

namespace {

struct process {
    pid_t id = 0;
    pid_t parent = 0;
    pid_t group = 0;
    char state = 0;
};

/// proc(5): stat is "id (name) state parent group …".
process read_process(std::filesystem::path const& folder) {
    process found;
    auto const name = folder.filename().string();
    if (std::from_chars(name.data(), name.data() + name.size(), found.id).ec != std::errc()) {
        return found;
    }
    std::string line;
    std::getline(std::ifstream(folder / "stat"), line);
    if (auto const end_of_name = line.rfind(')'); end_of_name != std::string::npos) {
        std::sscanf(line.c_str() + end_of_name + 1, " %c %d %d", &found.state, &found.parent, &found.group);
    }
    return found;
}

std::vector<pid_t> children_in_group() {
    pid_t const own = getpid();
    pid_t const group = getpgrp();
    std::map<pid_t, process> all;
    for (auto const& entry : std::filesystem::directory_iterator("/proc")) {
        auto const found = read_process(entry.path());
        if (found.parent != 0) {
            all[found.id] = found;
        }
    }
    auto const descends = [&](process each) {
        for (std::set<pid_t> seen; seen.insert(each.id).second;) {
            if (each.parent == own) {
                return true;
            }
            auto const parent = all.find(each.parent);
            if (parent == all.end()) {
                return false;
            }
            each = parent->second;
        }
        return false;
    };
    std::vector<pid_t> children;
    for (auto const& [id, each] : all) {
        bool const ended = each.state == 'Z' || each.state == 'X';
        if (id != own && each.group == group && !ended && (group == own || descends(each))) {
            children.push_back(id);
        }
    }
    return children;
}

/// How many there were.
std::size_t signal_children(int number) noexcept {
    try {
        auto const children = children_in_group();
        for (pid_t const child : children) {
            kill(child, number);
        }
        return children.size();
    } catch (std::exception const&) { // a process ended while its folder was read
        return 1;
    }
}

} // namespace

void interrupt_children() noexcept {
    signal_children(SIGINT);
}

void end_children() noexcept {
    using namespace std::chrono_literals;
    for (int const number : {SIGTERM, SIGKILL}) {
        auto const until = std::chrono::steady_clock::now() + 500ms;
        for (bool first = true; signal_children(first ? number : 0) > 0; first = false) {
            if (std::chrono::steady_clock::now() > until) {
                break;
            }
            std::this_thread::sleep_for(10ms);
        }
    }
}

} // namespace xcores::kernel
