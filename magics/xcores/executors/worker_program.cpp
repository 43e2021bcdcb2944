// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/executors/worker_program.hpp>

#include <csignal>
#include <thread>

#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <xcores/cpython/buffers.hpp>
#include <xcores/cpython/thread_state.hpp>
#include <xcores/executors/item_exchange.hpp>
#include <xcores/executors/job_wire.hpp>
#include <xcores/executors/measured.hpp>
#include <xcores/executors/usage_json.hpp>

namespace xcores::executors {

using wire::kind;

namespace {

void set_sys(const char* name, const cpython::object& value) {
    if (PySys_SetObject(name, value.get()) != 0)
        cpython::throw_current();
}

cpython::object path_of(const std::string& text) {
    return cpython::checked(PyUnicode_DecodeFSDefault(text.c_str()));
}

/// Makes this Python, started without `site`, see what the parent sees. GIL: attached.
void take_after_parent(const nlohmann::json& hello) {
    const auto path = cpython::checked(PyList_New(0));
    for (const auto& entry : hello.at("path"))
        if (PyList_Append(path.get(), path_of(entry).get()) != 0)
            cpython::throw_current();
    set_sys("path", path);
    set_sys("prefix", path_of(hello.at("prefix")));
    set_sys("exec_prefix", path_of(hello.at("prefix")));
    set_sys("base_prefix", path_of(hello.at("base_prefix")));
    set_sys("base_exec_prefix", path_of(hello.at("base_prefix")));
}

void call_collector(const char* name) {
    const auto collector = cpython::checked(PyImport_ImportModule("gc"));
    cpython::checked(PyObject_CallMethod(collector.get(), name, nullptr));
}

/// Ends this process when something happens to one of these.
void watch(std::array<pollfd, 2> entries) {
    std::thread([entries]() mutable {
        os::block_signals_on_this_thread();
        while (::poll(entries.data(), entries.size(), -1) < 0) {
        }
        end_all();
    }).detach();
}

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

} // namespace

void end_all(int) noexcept {
    ::kill(0, SIGKILL);
}

void end_with_parent(pid_t parent) {
    struct sigaction action{};
    action.sa_handler = end_all;
    sigaction(SIGTERM, &action, nullptr);
    prctl(PR_SET_PDEATHSIG, SIGTERM); // a parent that was killed cannot close what its own children hold open
    if (::getppid() != parent)
        end_all();
    watch({{{worker_socket_fd, POLLRDHUP, 0}, {-1, 0, 0}}});
}

void end_with_process(int handle) {
    watch({{{worker_socket_fd, POLLRDHUP, 0}, {handle, POLLIN, 0}}});
}

void line_writer::write(run::stream to, std::string_view text) {
    const std::lock_guard lock(mutex_);
    written_ = true;
    auto& held = held_[to == run::stream::standard_error];
    held += text;
    constexpr std::size_t enough = 8192;
    if (!holding_ && (held.size() >= enough || text.find('\n') != std::string_view::npos))
        flush(to, held);
}

bool line_writer::flush() {
    const std::lock_guard lock(mutex_);
    flush(run::stream::standard_output, held_[0]);
    flush(run::stream::standard_error, held_[1]);
    return std::exchange(written_, false);
}

void line_writer::hold() {
    const std::lock_guard lock(mutex_);
    holding_ = true;
}

void line_writer::pass() {
    const std::lock_guard lock(mutex_);
    holding_ = false;
}

void line_writer::drop() {
    const std::lock_guard lock(mutex_);
    held_ = {};
    written_ = false;
}

void line_writer::flush(run::stream to, std::string& held) {
    std::string_view rest = held;
    while (!rest.empty()) {
        const auto written = ::write(static_cast<int>(to), rest.data(), rest.size());
        if (written < 0 && errno != EINTR)
            break; // the reader is gone, and with it soon this process
        rest.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(written, 0)));
    }
    held.clear();
}

worker_memory& worker_program::shared() const {
    return *static_cast<worker_memory*>(memory_->data());
}

worker_program::worker_program(const nlohmann::json& hello) : state_(PyGILState_GetThisThreadState()) {
    const cpython::attached inside(state_);
    take_after_parent(hello);
    const auto crashes = cpython::checked(PyImport_ImportModule("faulthandler")); // a crash says where
    cpython::checked(PyObject_CallMethod(crashes.get(), "enable", nullptr));
    code_.emplace(cpython::worker_code::from_source(hello.at("worker_source"), "procs", &write_));
}

void worker_program::serve(wire::inbox& inbox) {
    memory_.emplace(os::shared_memory::map(os::unique_fd(worker_log_fd), sizeof(worker_memory)));
    {
        const cpython::attached inside(state_);
        probe_.emplace(state_);
    }
    wire::send(worker_socket_fd, kind::ready, {{"thread_id", probe_->native_thread_id()}});
    bool prepared = false;
    while (auto message = inbox.receive()) {
        if (message->what == kind::close)
            break;
        if (message->what == kind::task)
            prepared = prepare(std::move(*message), inbox);
        else if (message->what == kind::go && std::exchange(prepared, false))
            execute();
        else if (message->what == kind::serve)
            begin_jobs(message->fields.at("workers"),
                       run::nanoseconds{message->fields.at("sample_period").get<std::int64_t>()});
        else if (message->what == kind::call)
            answer(std::move(*message));
        else if (message->what == kind::leave)
            end_jobs();
    }
}

void worker_program::end() {
    end_jobs();
    const cpython::attached inside(state_);
    code_.reset();
}

void worker_program::load(run::payload input) {
    unload();
    writer_.hold(); // what is printed while loading is for the cell, and every child has it to print
    const run::task what{0, 1, std::make_shared<const run::payload>(std::move(input)), {}, nullptr, -1};
    constexpr std::int64_t first_task = 1;
    for (const auto& one : what.input->buffers)
        inputs_.emplace_back(first_task, one.owner);
    const cpython::attached inside(state_);
    code_->prepare(what);
    call_collector("unfreeze"); // what went with the input before may be in cycles
    call_collector("collect");
    call_collector("freeze"); // otherwise the first collection in a child would write to every page
}

void worker_program::unload() {
    const cpython::attached inside(state_);
    code_->forget();
    writer_.drop();
    inputs_.clear();
}

pid_t worker_program::fork() {
    const cpython::attached inside(state_);
    PyOS_BeforeFork();
    const pid_t child = ::fork();
    if (child == 0) {
        PyOS_AfterFork_Child();
        writer_.pass();
    } else {
        PyOS_AfterFork_Parent();
    }
    return child;
}

bool worker_program::prepare(wire::message message, wire::inbox& inbox) {
    forget_interrupts();
    run::task what{message.fields.at("index"),
                   message.fields.at("workers"),
                   std::make_shared<const run::payload>(std::move(message.content)),
                   run::nanoseconds{message.fields.at("sample_period").get<std::int64_t>()},
                   message.fields.at("items").get<bool>()
                       ? std::make_shared<remote_feed>(worker_socket_fd, inbox, shared().results)
                       : nullptr,
                   message.fields.at("core")};
    for (const auto& one : what.input->buffers)
        inputs_.emplace_back(message.fields.at("number"), one.owner);
    period_ = what.sample_period;
    workers_ = what.workers;
    core_.pin(what.core);
    try {
        const cpython::attached inside(state_);
        if (message.fields.at("inherited"))
            code_->adopt(what);
        else
            code_->prepare(what);
    } catch (const std::exception& error) {
        wire::send(worker_socket_fd, kind::failed, {{"message", error.what()}});
        return false;
    }
    wire::send(worker_socket_fd, kind::prepared, {{"keeps", inputs_kept()}});
    return true;
}

// Each worker process has a sampler of its own: they share the budget.
void worker_program::begin_sampling(int workers, run::nanoseconds period) {
    if (period <= run::nanoseconds{0})
        return;
    sampler_.emplace(period, run::sampler::half_a_percent * workers);
    sampler_->add(*probe_, shared().samples);
}

std::optional<model::sampling_record> worker_program::end_sampling() {
    if (!sampler_)
        return std::nullopt;
    const auto record = sampler_->record();
    sampler_->remove(*probe_);
    sampler_.reset();
    return record;
}

void worker_program::begin_jobs(int workers, run::nanoseconds sample_period) {
    core_.pin(-1);
    const cpython::attached inside(state_);
    code_->forget(); // a process that was forked may hold a task, and its output, that was meant for another worker
    writer_.drop();
    jobs_.emplace(code_->for_jobs());
    begin_sampling(workers, sample_period);
}

void worker_program::answer(wire::message message) {
    const bool large = message.fields.contains("number");
    if (large)
        for (const auto& one : message.content.buffers)
            inputs_.emplace_back(message.fields.at("number"), one.owner);
    run::answer given;
    {
        const auto call = unpack_call(std::exchange(message.content, {}));
        const cpython::attached inside(state_);
        if (call.about == functions::enclosed_afresh)
            jobs_->forget();
        given = jobs_->call(call.what, call.inputs);
    }
    const auto what = writer_.flush() ? kind::printed : kind::answered;
    auto packed = pack_answer(given);
    const bool lent = !packed.buffers.empty();
    nlohmann::json fields;
    if (large)
        fields["keeps"] = inputs_kept();
    wire::send_content(worker_socket_fd, what, packed, fields);
    if (!lent)
        return;
    given = {};
    packed = {};
    const cpython::attached inside(state_);
    cpython::release_buffers();
}

void worker_program::end_jobs() {
    if (!jobs_)
        return;
    end_sampling();
    const cpython::attached inside(state_);
    jobs_.reset();
}

void worker_program::execute() {
    {
        const cpython::attached inside(state_); // so that the first look sees whose GIL it is
        begin_sampling(workers_, period_);
    }
    auto used = measured(*probe_, [this] {
        const cpython::attached inside(state_);
        block_interrupts(false);
        code_->execute();
        block_interrupts(true);
        if (PyErr_CheckSignals() != 0) // one that came too late
            PyErr_Clear();
    });
    used.sampling = end_sampling();
    tell_memory(used);
    run::reply answer;
    {
        const cpython::attached inside(state_);
        answer = code_->collect();
    }
    writer_.flush();
    const bool lent = !answer.output.buffers.empty();
    auto fields = to_fields(used, answer);
    fields["keeps"] = inputs_kept();
    wire::send(worker_socket_fd, kind::done, fields, {&answer.output, nullptr, {}});
    answer = {};
    if (lent) {
        const cpython::attached inside(state_);
        cpython::release_buffers();
    }
}

// The tasks whose input somebody still looks at.
std::set<std::int64_t> worker_program::inputs_kept() {
    std::erase_if(inputs_, [](const auto& one) { return one.second.expired(); });
    std::set<std::int64_t> tasks;
    for (const auto& [task, owner] : inputs_)
        tasks.insert(task);
    return tasks;
}

void worker_program::tell_memory(run::usage& used) {
    used.memory_bytes = os::resident_bytes();
    // What is shared takes a walk over all pages: only where that is nothing beside the run itself.
    constexpr run::nanoseconds long_run = std::chrono::milliseconds{20};
    if (!std::exchange(told_shares_, true) || used.run->length() > long_run)
        shares_ = os::memory_shares();
    used.proportional_bytes = shares_.proportional;
    used.unique_bytes = shares_.unique;
}

} // namespace xcores::executors
