// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/executors/forkserver.hpp>

#include <algorithm>
#include <cerrno>
#include <condition_variable>

#include <poll.h>
#include <sys/syscall.h>

#include <csignal>

#include <xcores/executors/zygote_link.hpp>
#include <xcores/os/clock.hpp>

namespace xcores::executors {
namespace {

using os::unique_fd;
using std::chrono::seconds;

/// A child of the zygote: reached by a descriptor, because its number may be somebody else's as soon as the zygote has
/// reaped it.
class forked_process final : public worker_process {
public:
    forked_process(std::shared_ptr<zygote_link> zygote, zygote_link::child made)
        : zygote_(std::move(zygote)), id_(made.id), handle_(std::move(made.handle)) {}
    ~forked_process() override {
        if (!ended_) {
            signal_group(SIGKILL);
            has_ended(-1);
            zygote_->forget(id_);
        }
    }
    pid_t id() const noexcept override { return id_; }
    int handle() const noexcept override { return handle_.get(); }
    void signal_group(int number) noexcept override {
        if (!has_ended(0))
            ::kill(-id_, number);
    }
    os::exit_status wait() noexcept override {
        has_ended(-1);
        ended_ = true;
        return zygote_->status_of(id_);
    }

private:
    bool has_ended(int patience_ms) const noexcept {
        pollfd entry{handle_.get(), POLLIN, 0};
        int ready = -1;
        while ((ready = ::poll(&entry, 1, patience_ms)) < 0 && errno == EINTR) {
        }
        return ready > 0;
    }

    const std::shared_ptr<zygote_link> zygote_;
    const pid_t id_;
    const unique_fd handle_;
    bool ended_ = false;
};

/// How long a start waits while the zygote loads the input of another run; then the worker is started anew.
constexpr auto patience_for_others = seconds{5};

class forkserver final : public process_source {
public:
    explicit forkserver(std::shared_ptr<const python_description> python)
        : python_(std::move(python)), spawner_(make_spawner(python_)) {}

    started start(const descriptors& at, const std::shared_ptr<const run::payload>& input,
                  const std::stop_token& token) override {
        const auto begin = os::now();
        const std::stop_callback on_stop(token, [this, &token] { stop(token); });
        const turn mine(*this, input, token);
        if (!mine)
            return spawner_->start(at, input, token);
        for (bool again = false;; again = true) {
            const auto zygote = fit_zygote();
            try {
                auto made = start_from(*zygote, at, input, token);
                made.import_time = import_time_since(begin, input);
                return made;
            } catch (const std::exception&) {
                refuse_if_stopped(token);
                if (again || zygote->alive())
                    throw;
            } // it has ended, perhaps long ago
        }
    }

    void reset() noexcept override {
        std::shared_ptr<zygote_link> old; // ended without the lock
        const std::lock_guard lock(mutex_);
        old.swap(zygote_);
        loads_ = true;
    }

    void forget(const std::shared_ptr<const run::payload>& input) noexcept override {
        const std::lock_guard lock(mutex_);
        if (!input || !zygote_ || zygote_->loaded() != input)
            return;
        if (busy_)
            forget_ = input;
        else
            zygote_->unload();
    }

private:
    /// The only one that speaks to the zygote. Where that takes too long for a start, it gets no turn.
    class turn {
    public:
        turn(forkserver& owner, const std::shared_ptr<const run::payload>& input, const std::stop_token& token)
            : owner_(owner) {
            std::unique_lock lock(owner.mutex_);
            const auto until = std::chrono::steady_clock::now() + patience_for_others;
            while (owner.busy_ && !token.stop_requested()) {
                const bool together = input && owner.busy_ == &input->data; // it waits for the same
                if (together)
                    owner.changed_.wait(lock);
                else if (owner.changed_.wait_until(lock, until) == std::cv_status::timeout)
                    return;
            }
            refuse_if_stopped(token);
            static const std::string no_input;
            owner.busy_ = input ? &input->data : &no_input;
            owner.token_ = &token;
            taken_ = true;
        }
        ~turn() {
            if (!taken_)
                return;
            std::shared_ptr<zygote_link> last; // perhaps ended, without the lock
            const std::lock_guard lock(owner_.mutex_);
            last.swap(owner_.speaking_);
            owner_.busy_ = nullptr;
            owner_.token_ = nullptr;
            const auto unwanted = std::exchange(owner_.forget_, {}).lock();
            if (unwanted && owner_.zygote_ && owner_.zygote_->loaded() == unwanted)
                owner_.zygote_->unload();
            owner_.changed_.notify_all();
        }
        turn(const turn&) = delete;
        turn& operator=(const turn&) = delete;
        explicit operator bool() const noexcept { return taken_; }

    private:
        forkserver& owner_;
        bool taken_ = false;
    };

    static void refuse_if_stopped(const std::stop_token& token) {
        if (token.stop_requested())
            throw std::runtime_error("stopped before the worker process had started");
    }

    /// A start is not wanted any more: whatever the zygote does for it, a hanging import perhaps, ends with the zygote.
    void stop(const std::stop_token& token) {
        const std::lock_guard lock(mutex_);
        if (token_ == &token && speaking_)
            speaking_->end();
        changed_.notify_all();
    }

    /// Loaded by one that it does not end: from there on workers load their inputs themselves.
    started start_from(zygote_link& first, const descriptors& at, const std::shared_ptr<const run::payload>& input,
                       const std::stop_token& token) {
        first.await_ready();
        if (input && loads() && first.loaded() != input && !load(first, input) && !first.fit()) {
            refuse_if_stopped(token);
            {
                const std::lock_guard lock(mutex_);
                loads_ = false;
            }
            const auto other = fit_zygote();
            other->await_ready();
            return forked(other, at, false);
        }
        return forked(first.shared_from_this(), at, input && first.holds(input));
    }

    static started forked(const std::shared_ptr<zygote_link>& from, const descriptors& at, bool has_input) {
        return {std::make_unique<forked_process>(from, from->fork(at)), true, has_input};
    }

    bool load(zygote_link& into, const std::shared_ptr<const run::payload>& input) {
        const bool usable = into.load(input, python_->inputs->of(input));
        const std::lock_guard lock(mutex_);
        latest_load_ = {input, os::now(), into.import_time()};
        return usable;
    }

    /// Of the start that began then, which may have waited for what another one had loaded.
    run::nanoseconds import_time_since(run::nanoseconds begin, const std::shared_ptr<const run::payload>& input) {
        const std::lock_guard lock(mutex_);
        if (!input || latest_load_.input.lock() != input)
            return {};
        return std::min(latest_load_.end - begin, latest_load_.import_time); // negative: it did not wait
    }

    bool loads() {
        const std::lock_guard lock(mutex_);
        return loads_;
    }

    /// One that may be asked to fork; a new one where there is none.
    std::shared_ptr<zygote_link> fit_zygote() {
        std::shared_ptr<zygote_link> old; // ended without the lock
        const std::lock_guard lock(mutex_);
        if (!zygote_ || !zygote_->fit()) {
            old.swap(zygote_);
            zygote_ = std::make_shared<zygote_link>(*python_);
        }
        return speaking_ = zygote_;
    }

    const std::shared_ptr<const python_description> python_;
    const std::shared_ptr<process_source> spawner_;
    std::mutex mutex_; ///< guards what follows; never held while somebody waits for the zygote
    std::condition_variable changed_;
    std::shared_ptr<zygote_link> zygote_;
    std::shared_ptr<zygote_link> speaking_;    ///< with which the one whose turn it is speaks
    const std::string* busy_ = nullptr;        ///< whose turn it is: the data of its input
    const std::stop_token* token_ = nullptr;   ///< and its token
    std::weak_ptr<const run::payload> forget_; ///< when it is free
    bool loads_ = true;                        ///< inputs can be loaded before forking
    struct {
        std::weak_ptr<const run::payload> input;
        run::nanoseconds end{};
        run::nanoseconds import_time{};
    } latest_load_;
};

} // namespace

std::shared_ptr<process_source> make_forkserver(std::shared_ptr<const python_description> python) {
    return std::make_shared<forkserver>(std::move(python));
}

} // namespace xcores::executors
