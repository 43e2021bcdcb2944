// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/executors/forkserver.hpp>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <map>
#include <optional>
#include <system_error>

#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <xcores/executors/wire.hpp>

namespace xcores::executors {
namespace {

using os::unique_fd;

class zygote_link;

/// A child of the zygote: reached by a descriptor, because its number may be somebody else's as soon as the zygote has
/// reaped it.
class forked_process final : public worker_process {
public:
    forked_process(std::shared_ptr<zygote_link> zygote, pid_t id, unique_fd handle)
        : zygote_(std::move(zygote)), id_(id), handle_(std::move(handle)) {}
    ~forked_process() override {
        if (!ended_) {
            signal(SIGKILL);
            wait();
        }
    }
    pid_t id() const noexcept override { return id_; }
    void signal(int number) noexcept override { ::syscall(SYS_pidfd_send_signal, handle_.get(), number, nullptr, 0); }
    os::exit_status wait() noexcept override;

private:
    const std::shared_ptr<zygote_link> zygote_;
    const pid_t id_;
    const unique_fd handle_;
    bool ended_ = false;
};

/// One zygote, from its start to its end.
class zygote_link : public std::enable_shared_from_this<zygote_link> {
public:
    explicit zygote_link(const python_description& python) {
        int ends[2];
        if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
            throw std::system_error(errno, std::generic_category(), "socketpair");
        socket_ = unique_fd(ends[0]);
        inbox_.emplace(socket_.get());
        const unique_fd theirs(ends[1]);
        process_.emplace(command_of(python, "zygote"),
                         std::vector<std::pair<int, int>>{{theirs.get(), worker_socket_fd}});
        send(wire::kind::hello, {}, hello_of(python));
        answer_of(wire::kind::ready);
    }

    /// It may be asked to load and fork: it lives, and has no threads.
    bool fit() const noexcept { return alive_ && fit_; }
    bool alive() const noexcept { return alive_; }

    /// False: it could not, and is perhaps not fit any more.
    bool load(const run::payload& input, const wire::shared_buffers& shared) {
        send(wire::kind::load, {&input, &shared, {}});
        try {
            fit_ = answer_of(wire::kind::loaded).fields.at("may_be_forked").get<bool>();
        } catch (const std::runtime_error&) { // a worker will find out why, and say so
            return false;
        }
        return fit_;
    }
    void unload() { send(wire::kind::unload); }

    std::unique_ptr<worker_process> fork(const process_source::descriptors& at) {
        const std::array<int, 4> passed{at.output, at.errors, at.socket, at.log};
        send(wire::kind::fork, {nullptr, nullptr, passed});
        auto answer = answer_of(wire::kind::forked);
        if (answer.descriptors.empty())
            throw std::runtime_error("the zygote forked a process and gave no handle to it");
        return std::make_unique<forked_process>(shared_from_this(), answer.fields.at("id").get<pid_t>(),
                                                std::move(answer.descriptors.front()));
    }

    /// How a process that has ended did end.
    os::exit_status status_of(pid_t id) noexcept {
        const std::lock_guard lock(mutex_);
        try {
            while (!ended_.contains(id))
                if (!next())
                    return {};
        } catch (const std::exception&) {
            return {};
        }
        return ended_.extract(id).mapped();
    }

    std::mutex& mutex() noexcept { return mutex_; } ///< to be held for all calls that speak to it, but status_of()

private:
    void send(wire::kind what, const wire::extras& with = {}, const nlohmann::json& fields = {}) {
        try {
            wire::send(socket_.get(), what, fields, with);
        } catch (const std::system_error&) {
            alive_ = false;
            throw;
        }
    }

    /// The next message that is not about the end of a process. Nothing: there was one of these, or, when the zygote
    /// has ended, none at all.
    std::optional<wire::message> take() {
        auto message = inbox_->receive();
        if (!message)
            alive_ = false;
        else if (message->what == wire::kind::ended)
            note(std::exchange(message, std::nullopt)->fields);
        return message;
    }
    bool next() {
        take();
        return alive_;
    }
    void note(const nlohmann::json& fields) {
        const int value = fields.at("value");
        const bool by_signal = fields.at("by_signal");
        ended_[fields.at("id").get<pid_t>()] =
            by_signal ? os::exit_status{std::nullopt, value} : os::exit_status{value, std::nullopt};
    }
    wire::message answer_of(wire::kind wanted) {
        while (alive_)
            if (auto message = take()) {
                if (message->what == wanted)
                    return std::move(*message);
                throw std::runtime_error(message->fields.at("message").get<std::string>());
            }
        throw std::runtime_error("the process that forks workers has ended");
    }

    std::mutex mutex_;
    std::optional<os::child_process> process_;
    unique_fd socket_; // closed first: that ends it
    std::optional<wire::inbox> inbox_;
    std::map<pid_t, os::exit_status> ended_;
    std::atomic<bool> alive_ = true;
    std::atomic<bool> fit_ = true;
};

os::exit_status forked_process::wait() noexcept {
    pollfd entry{handle_.get(), POLLIN, 0};
    while (::poll(&entry, 1, -1) < 0 && errno == EINTR) {
    }
    ended_ = true;
    return zygote_->status_of(id_);
}

class forkserver final : public process_source {
public:
    explicit forkserver(std::shared_ptr<const python_description> python) : python_(std::move(python)) {}

    started start(const descriptors& at, const std::shared_ptr<const run::payload>& input) override {
        const std::lock_guard lock(mutex_);
        if (zygote_ && zygote_->fit()) {
            try {
                return start_from_zygote(at, input);
            } catch (const std::exception&) {
                if (zygote_->alive())
                    throw;
            } // it has ended by itself, perhaps long ago
        }
        replace_zygote();
        return start_from_zygote(at, input);
    }

    void reset() noexcept override {
        const std::lock_guard lock(mutex_);
        drop_input();
        zygote_.reset();
        loads_ = true;
    }

    void forget(const std::shared_ptr<const run::payload>& input) noexcept override {
        const std::lock_guard lock(mutex_);
        if (!input || loaded_.lock() != input)
            return;
        drop_input();
        try {
            const std::lock_guard one_at_a_time(zygote_->mutex());
            zygote_->unload();
        } catch (const std::exception&) { // it has ended, and the input with it
        }
    }

private:
    started start_from_zygote(const descriptors& at, const std::shared_ptr<const run::payload>& input) {
        const auto zygote = zygote_; // for as long as its mutex is held
        const std::lock_guard one_at_a_time(zygote->mutex());
        if (input && loads_ && loaded_.lock() != input) {
            shared_ = python_->inputs->of(input);
            loaded_ = input;
            usable_ = zygote_->load(*input, *shared_);
            if (!zygote_->fit())
                return start_without_input(at);
        }
        return {zygote_->fork(at), true, input && usable_};
    }

    /// The input has a module that starts threads, or that ends the process: from now on workers load theirs
    /// themselves.
    started start_without_input(const descriptors& at) {
        loads_ = false;
        replace_zygote();
        const std::lock_guard one_at_a_time(zygote_->mutex());
        return {zygote_->fork(at), true, false};
    }

    void replace_zygote() {
        drop_input();
        zygote_ = std::make_shared<zygote_link>(*python_);
    }

    void drop_input() noexcept {
        loaded_.reset();
        shared_.reset();
        usable_ = false;
    }

    const std::shared_ptr<const python_description> python_;
    std::mutex mutex_;
    std::shared_ptr<zygote_link> zygote_;
    std::weak_ptr<const run::payload> loaded_;
    std::shared_ptr<const wire::shared_buffers> shared_; ///< the zygote looks at them
    bool usable_ = false;
    bool loads_ = true; ///< inputs can be loaded before forking
};

} // namespace

std::shared_ptr<process_source> make_forkserver(std::shared_ptr<const python_description> python) {
    return std::make_shared<forkserver>(std::move(python));
}

} // namespace xcores::executors
