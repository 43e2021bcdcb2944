// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/executors/zygote_link.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <fstream>
#include <string>
#include <system_error>

#include <poll.h>
#include <sys/socket.h>

namespace xcores::executors {
namespace {

using os::unique_fd;
using namespace std::chrono_literals;

constexpr auto patience_for_start = 60s;
constexpr auto patience_for_fork = 5s;
constexpr auto patience_for_status = 2s;

} // namespace

zygote_link::zygote_link(const python_description& python) {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        throw std::system_error(errno, std::generic_category(), "socketpair");
    socket_ = unique_fd(ends[0]);
    inbox_.emplace(socket_.get());
    const unique_fd theirs(ends[1]);
    process_.emplace(command_of(python, "zygote"), std::vector<std::pair<int, int>>{{theirs.get(), worker_socket_fd}},
                     python.hash_seed);
    send(wire::kind::hello, {}, hello_of(python));
}

void zygote_link::await_ready() {
    const std::lock_guard lock(speaking_);
    if (!std::exchange(ready_, true))
        answer_of(wire::kind::ready, patience_for_start);
}

bool zygote_link::load(const std::shared_ptr<const run::payload>& input,
                       std::shared_ptr<const wire::shared_buffers> shared) {
    const std::lock_guard lock(speaking_);
    usable_ = false;
    import_time_ = {};
    std::shared_ptr<const wire::shared_buffers> before; // let go without the lock
    {
        const std::lock_guard state(mutex_);
        before = std::exchange(shared_, shared);
        loaded_ = input;
    }
    send(wire::kind::load, {input.get(), shared.get(), {}});
    try {
        const auto answer = answer_of(wire::kind::loaded, std::nullopt);
        import_time_ = run::nanoseconds{answer.fields.at("import_ns").get<std::int64_t>()};
        fit_ = answer.fields.at("may_be_forked").get<bool>();
    } catch (const std::exception&) { // a worker will find out why, and say so
        return false;
    }
    usable_ = fit_.load();
    return usable_;
}

std::shared_ptr<const run::payload> zygote_link::loaded() const {
    const std::lock_guard state(mutex_);
    return loaded_.lock();
}

void zygote_link::unload() noexcept {
    const std::unique_lock lock(speaking_, std::try_to_lock);
    if (!lock)
        return; // what is loaded next takes its place
    try {
        send(wire::kind::unload);
    } catch (const std::exception&) { // it has ended, and the input with it
    }
    usable_ = false;
    std::shared_ptr<const wire::shared_buffers> before;
    const std::lock_guard state(mutex_);
    before.swap(shared_);
    loaded_.reset();
}

zygote_link::child zygote_link::fork(const process_source::descriptors& at) {
    const std::lock_guard lock(speaking_);
    const std::array<int, 4> passed{at.output, at.errors, at.socket, at.log};
    send(wire::kind::fork, {nullptr, nullptr, passed});
    auto answer = answer_of(wire::kind::forked, patience_for_fork);
    if (answer.descriptors.empty())
        throw std::runtime_error("the zygote forked a process and gave no handle to it");
    return {answer.fields.at("id").get<pid_t>(), std::move(answer.descriptors.front())};
}

os::exit_status zygote_link::status_of(pid_t id) noexcept {
    const auto until = clock::now() + patience_for_status;
    try {
        while (clock::now() < until) {
            // Whoever speaks to it meanwhile notes what it says of others.
            const std::unique_lock lock(speaking_, std::min(until, clock::now() + 20ms));
            if (const auto status = noted(id))
                return *status;
            if (lock && !alive_)
                break;
            if (lock)
                take(until);
        }
    } catch (const std::exception&) { // then it is not known
    }
    return noted(id).value_or(os::exit_status{});
}

void zygote_link::end() noexcept {
    alive_ = false;
    process_->signal_group(SIGKILL);
    ::shutdown(socket_.get(), SHUT_RDWR); // whoever else may hold its end
}

void zygote_link::send(wire::kind what, const wire::extras& with, const nlohmann::json& fields) {
    try {
        wire::send(socket_.get(), what, fields, with);
    } catch (const std::system_error&) {
        alive_ = false;
        throw;
    }
}

/// The next message that is not about the end of a process. Nothing: there was such a one, or none in time, or, when
/// the zygote has ended, none at all.
std::optional<wire::message> zygote_link::take(std::optional<clock::time_point> until) {
    while (!inbox_->has_more()) {
        pollfd entry{socket_.get(), POLLIN, 0};
        const auto left = until ? std::max(*until - clock::now(), clock::duration{0}) : clock::duration{1min};
        const int ready = ::poll(&entry, 1, static_cast<int>(left / 1ms));
        if (ready > 0)
            break;
        if (ready == 0 && until)
            return std::nullopt;
    }
    try {
        auto message = inbox_->receive();
        if (!message)
            alive_ = false;
        else if (message->what == wire::kind::ended)
            note(std::exchange(message, std::nullopt)->fields);
        return message;
    } catch (const std::exception&) { // what is no message: it is not spoken to any more
        end();
        throw;
    }
}

void zygote_link::note(const nlohmann::json& fields) {
    const int value = fields.at("value");
    const bool by_signal = fields.at("by_signal");
    const auto id = fields.at("id").get<pid_t>();
    const std::lock_guard state(mutex_);
    if (forgotten_.erase(id) > 0)
        return;
    ended_[id] = by_signal ? os::exit_status{std::nullopt, value} : os::exit_status{value, std::nullopt};
}

std::optional<os::exit_status> zygote_link::noted(pid_t id) {
    const std::lock_guard state(mutex_);
    const auto found = ended_.find(id);
    if (found == ended_.end())
        return std::nullopt;
    const auto status = found->second;
    ended_.erase(found);
    return status;
}

void zygote_link::forget(pid_t id) {
    const std::lock_guard state(mutex_);
    if (ended_.erase(id) == 0 && alive_)
        forgotten_.insert(id);
}

// proc(5): stat is "id (name) state …".
bool zygote_link::is_stopped() const {
    std::string line;
    std::getline(std::ifstream("/proc/" + std::to_string(process_->id()) + "/stat"), line);
    const auto end_of_name = line.rfind(')');
    return end_of_name != std::string::npos && line.compare(end_of_name, 3, ") T") == 0;
}

wire::message zygote_link::answer_of(wire::kind wanted, std::optional<clock::duration> patience) {
    const auto until = patience ? std::optional(clock::now() + *patience) : std::nullopt;
    while (alive_) {
        const auto pause = clock::now() + 500ms;
        if (auto message = take(until ? std::min(*until, pause) : pause)) {
            if (message->what == wanted)
                return std::move(*message);
            if (message->what != wire::kind::failed || !message->fields.is_object()) {
                end();
                break;
            }
            throw std::runtime_error(message->fields.value("message", "it gives no reason"));
        }
        if ((until && clock::now() >= *until) || (clock::now() >= pause && is_stopped()))
            end();
    }
    throw std::runtime_error("the process that forks workers has ended");
}

} // namespace xcores::executors
