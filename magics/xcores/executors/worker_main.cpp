// SPDX-License-Identifier: BSD-3-Clause
// The program of a process worker: embeds Python, takes tasks from the socket at descriptor 3, samples itself into the
// memory at descriptor 4, and ends when the process that started it does.
#include <array>
#include <csignal>
#include <cstdlib>
#include <mutex>
#include <string>
#include <thread>

#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <xcores/cpython/gil_probe.hpp>
#include <xcores/cpython/thread_state.hpp>
#include <xcores/cpython/worker_code.hpp>
#include <xcores/executors/item_exchange.hpp>
#include <xcores/executors/job_wire.hpp>
#include <xcores/executors/measured.hpp>
#include <xcores/executors/usage_json.hpp>
#include <xcores/executors/wire.hpp>
#include <xcores/os/machine.hpp>
#include <xcores/os/shared_memory.hpp>
#include <xcores/run/sampler.hpp>

namespace {

using namespace xcores;
using executors::wire::kind;

constexpr int socket_fd = 3;
constexpr int log_fd = 4;

/// We lead a process group of our own, so this takes what the cell has started with us.
void end_all(int) {
    ::kill(0, SIGKILL);
}

/// Ends this process with its parent, whatever Python is doing.
void end_with_parent(pid_t parent) {
    struct sigaction action{};
    action.sa_handler = end_all;
    sigaction(SIGTERM, &action, nullptr);
    prctl(PR_SET_PDEATHSIG, SIGTERM); // a parent that was killed cannot close what its own children hold open
    if (::getppid() != parent)
        end_all(0);
    std::thread([] {
        os::block_signals_on_this_thread();
        pollfd entry{socket_fd, POLLRDHUP, 0};
        while (::poll(&entry, 1, -1) < 0) {
        }
        end_all(0);
    }).detach();
}

/// Standard output and error, a line at a time: what was written is in the pipe before the result is sent.
class line_writer {
public:
    void write(run::stream to, std::string_view text) {
        const std::lock_guard lock(mutex_);
        written_ = true;
        auto& held = held_[to == run::stream::standard_error];
        held += text;
        if (constexpr std::size_t enough = 8192; held.size() >= enough || text.find('\n') != std::string_view::npos)
            flush(to, held);
    }
    /// True: something was written since the last time.
    bool flush() {
        const std::lock_guard lock(mutex_);
        flush(run::stream::standard_output, held_[0]);
        flush(run::stream::standard_error, held_[1]);
        return std::exchange(written_, false);
    }

private:
    static void flush(run::stream to, std::string& held) {
        std::string_view rest = held;
        while (!rest.empty()) {
            const auto written = ::write(static_cast<int>(to), rest.data(), rest.size());
            if (written < 0 && errno != EINTR)
                break; // the reader is gone, and with it soon this process
            rest.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(written, 0)));
        }
        held.clear();
    }
    std::mutex mutex_;
    std::array<std::string, 2> held_;
    bool written_ = false;
};

/// Owns a PyConfig.
class configuration {
public:
    configuration() { PyConfig_InitPythonConfig(&value_); }
    ~configuration() { PyConfig_Clear(&value_); }
    configuration(const configuration&) = delete;
    configuration& operator=(const configuration&) = delete;

    void set(wchar_t* PyConfig::* field, const std::string& text) {
        check(PyConfig_SetBytesString(&value_, &(value_.*field), text.c_str()));
    }
    void start(const nlohmann::json& hello) {
        value_.parse_argv = 0;
        value_.faulthandler = 1; // a crash says where
        value_.site_import = 0;  // the parent's path is given whole: nothing is left to find
        set(&PyConfig::executable, hello.at("executable"));
        set(&PyConfig::prefix, hello.at("prefix"));
        set(&PyConfig::exec_prefix, hello.at("prefix"));
        set(&PyConfig::base_prefix, hello.at("base_prefix"));
        set(&PyConfig::base_exec_prefix, hello.at("base_prefix"));
        value_.module_search_paths_set = 1;
        for (const auto& entry : hello.at("path")) {
            wchar_t* wide = Py_DecodeLocale(entry.get<std::string>().c_str(), nullptr);
            if (!wide)
                throw std::runtime_error("sys.path has an entry that cannot be decoded");
            const auto status = PyWideStringList_Append(&value_.module_search_paths, wide);
            PyMem_RawFree(wide);
            check(status);
        }
        check(Py_InitializeFromConfig(&value_));
    }

private:
    static void check(PyStatus status) {
        if (PyStatus_Exception(status))
            throw std::runtime_error(std::string("Python did not start: ") +
                                     (status.err_msg ? status.err_msg : "no reason given"));
    }
    PyConfig value_;
};

void block_interrupts(bool blocked) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    pthread_sigmask(blocked ? SIG_BLOCK : SIG_UNBLOCK, &set, nullptr);
}

void forget_interrupts() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    const timespec now{};
    while (sigtimedwait(&set, nullptr, &now) == SIGINT) {
    }
}

/// Tasks, one after the other, on the main thread: that is where Python handles signals.
class worker {
public:
    worker(const nlohmann::json& hello, executors::wire::inbox& inbox)
        : inbox_(inbox), memory_(os::shared_memory::map(os::unique_fd(log_fd), sizeof(executors::worker_memory))) {
        block_interrupts(true);
        configuration().start(hello);
        code_.emplace(cpython::worker_code::from_source(hello.at("worker_source"), "procs", &write_));
        probe_.emplace(PyThreadState_Get());
        state_ = PyEval_SaveThread();
        executors::wire::send(socket_fd, kind::ready, {{"thread_id", probe_->native_thread_id()}});
    }

    void serve() {
        bool prepared = false;
        while (auto message = inbox_.receive()) {
            if (message->what == kind::close)
                break;
            if (message->what == kind::task)
                prepared = prepare(std::move(*message));
            else if (message->what == kind::go && std::exchange(prepared, false))
                execute();
            else if (message->what == kind::serve)
                begin_jobs(run::nanoseconds{message->fields.at("sample_period").get<std::int64_t>()});
            else if (message->what == kind::call)
                answer(message->content);
            else if (message->what == kind::leave)
                end_jobs();
        }
    }

    void end() {
        end_jobs();
        PyEval_RestoreThread(state_);
        code_.reset();
        Py_FinalizeEx();
    }

private:
    bool prepare(executors::wire::message message) {
        forget_interrupts();
        run::task what{message.fields.at("index"), message.fields.at("workers"),
                       std::make_shared<const run::payload>(std::move(message.content)),
                       run::nanoseconds{message.fields.at("sample_period").get<std::int64_t>()},
                       message.fields.at("items").get<bool>()
                           ? std::make_shared<executors::remote_feed>(socket_fd, inbox_, shared().results)
                           : nullptr};
        period_ = what.sample_period;
        try {
            const cpython::attached inside(state_);
            code_->prepare(what);
        } catch (const std::exception& error) {
            executors::wire::send(socket_fd, kind::failed, {{"message", error.what()}});
            return false;
        }
        executors::wire::send(socket_fd, kind::prepared);
        return true;
    }

    void begin_sampling(run::nanoseconds period) {
        if (period <= run::nanoseconds{0})
            return;
        sampler_.emplace(period);
        sampler_->add(*probe_, shared().samples);
    }

    std::optional<model::sampling_record> end_sampling() {
        if (!sampler_)
            return std::nullopt;
        const auto record = sampler_->record();
        sampler_->remove(*probe_);
        sampler_.reset();
        return record;
    }

    void begin_jobs(run::nanoseconds sample_period) {
        const cpython::attached inside(state_);
        jobs_.emplace(code_->for_jobs());
        begin_sampling(sample_period);
    }

    void answer(const run::payload& content) {
        const auto call = executors::unpack_call(content);
        run::answer given;
        {
            const cpython::attached inside(state_);
            if (call.about == executors::functions::enclosed_afresh)
                jobs_->forget();
            given = jobs_->call(call.what, call.inputs);
        }
        const auto what = writer_.flush() ? kind::printed : kind::answered;
        executors::wire::send_content(socket_fd, what, executors::pack_answer(given));
    }

    void end_jobs() {
        if (!jobs_)
            return;
        end_sampling();
        const cpython::attached inside(state_);
        jobs_.reset();
    }

    void execute() {
        begin_sampling(period_);
        auto used = executors::measured(*probe_, [this] {
            const cpython::attached inside(state_);
            block_interrupts(false);
            code_->execute();
            block_interrupts(true);
            if (PyErr_CheckSignals() != 0) // one that came too late
                PyErr_Clear();
        });
        used.sampling = end_sampling();
        used.memory_bytes = os::resident_bytes();
        run::reply answer;
        {
            const cpython::attached inside(state_);
            answer = code_->collect();
        }
        writer_.flush();
        executors::wire::send(socket_fd, kind::done, executors::to_fields(used, answer), answer.output);
    }

    executors::worker_memory& shared() const { return *static_cast<executors::worker_memory*>(memory_.data()); }

    executors::wire::inbox& inbox_;
    os::shared_memory memory_;
    line_writer writer_;
    cpython::writer write_ = [this](run::stream to, std::string_view text) { writer_.write(to, text); };
    std::optional<cpython::worker_code> code_;
    std::optional<cpython::job_code> jobs_;
    std::optional<cpython::gil_probe> probe_;
    std::optional<run::sampler> sampler_;
    PyThreadState* state_ = nullptr;
    run::nanoseconds period_{};
};

} // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fputs("xcores-worker is started by xcores; it is of no use by itself\n", stderr);
        return 2;
    }
    try {
        end_with_parent(static_cast<pid_t>(std::atol(argv[1])));
        executors::wire::inbox inbox(socket_fd);
        const auto hello = inbox.receive();
        if (!hello)
            return 0;
        worker serving(hello->fields, inbox);
        serving.serve();
        serving.end();
    } catch (const std::exception& error) {
        try {
            executors::wire::send(socket_fd, kind::failed, {{"message", error.what()}});
        } catch (const std::exception&) {
            std::fputs(error.what(), stderr);
        }
        return 1;
    }
    return 0;
}
