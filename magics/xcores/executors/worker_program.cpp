// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/executors/worker_program.hpp>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <new>
#include <thread>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <xcores/cpython/buffers.hpp>
#include <xcores/cpython/gil_access.h>
#include <xcores/cpython/thread_state.hpp>
#include <xcores/executors/item_exchange.hpp>
#include <xcores/executors/job_wire.hpp>
#include <xcores/executors/measured.hpp>
#include <xcores/executors/own_forks.hpp>
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

/// Without `-S`, which saves time at our own start only: a child that user code starts with our flags (multiprocessing
/// and joblib do) needs `site`, and so does an interpreter that it makes.
void hide_missing_site() {
    xcores_set_site_import(1);
    const cpython::object flags(Py_NewRef(PySys_GetObject("flags")));
    auto* type = Py_TYPE(flags.get());
    const auto made = cpython::checked(PyStructSequence_New(type));
    for (Py_ssize_t i = 0; type->tp_members[i].name; ++i) {
        const bool is_site = std::string_view(type->tp_members[i].name) == "no_site";
        PyStructSequence_SetItem(made.get(), i,
                                 is_site ? PyLong_FromLong(0) : Py_NewRef(PyStructSequence_GetItem(flags.get(), i)));
    }
    set_sys("flags", made);
}

/// Makes this Python, started without `site`, see what the parent sees. GIL: attached.
void take_after_parent(const nlohmann::json& hello) {
    hide_missing_site();
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

model::outcome no_memory() {
    return {model::outcome_kind::failed, {}, "the worker had no memory left to send its result", {}, {}, false};
}

/// One that came too late. GIL: attached.
void drop_interrupt() {
    if (PyErr_CheckSignals() != 0)
        PyErr_Clear();
}

void forget_interrupts() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    const timespec now{};
    while (sigtimedwait(&set, nullptr, &now) == SIGINT) {
    }
}

int socket_number = worker_socket_fd;

} // namespace

int worker_socket() noexcept {
    return socket_number;
}

os::unique_fd hidden(int fd) noexcept {
    constexpr rlim_t most = 1024; // the system's tables grow with the highest number
    constexpr rlim_t below = 8;
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    const auto first = static_cast<int>(std::max(std::min(limit.rlim_cur, most), below) - below);
    return os::unique_fd(::fcntl(fd, F_DUPFD_CLOEXEC, first));
}

void hide_worker_socket() noexcept {
    static os::unique_fd kept; // until the process ends
    kept = hidden(worker_socket_fd);
    if (!kept) {
        ::fcntl(worker_socket_fd, F_SETFD, FD_CLOEXEC);
        return;
    }
    ::close(worker_socket_fd);
    socket_number = kept.get();
}

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
    cut_off_copies(worker_socket(), end_all);
    watch({{{worker_socket(), POLLRDHUP, 0}, {-1, 0, 0}}});
}

void end_with_process(int handle) {
    watch({{{worker_socket(), POLLRDHUP, 0}, {handle, POLLIN, 0}}});
}

worker_memory& worker_program::shared() const {
    return *static_cast<worker_memory*>(memory_->data());
}

worker_program::worker_program(const nlohmann::json& hello) : state_(PyGILState_GetThisThreadState()) {
    const cpython::attached inside(state_);
    take_after_parent(hello);
    // A crash says where: in Python, of all threads. The stack in C would be forty lines more under the cell.
    const auto crashes = cpython::checked(PyImport_ImportModule("faulthandler"));
    cpython::checked(PyObject_CallMethod(crashes.get(), "enable", "iOO", STDERR_FILENO, Py_True, Py_False));
    const auto& codes = hello.at("worker_codes").get_binary();
    code_.emplace(cpython::worker_code::unmarshalled(
        {codes.begin(), codes.end()}, "procs",
        [writer = writer_](run::stream to, std::string_view text) { writer->write(to, text); }));
}

// An error may have left the rest as it was.
worker_program::~worker_program() {
    const cpython::attached inside(state_);
    jobs_.reset();
    code_.reset();
}

void worker_program::serve(wire::inbox& inbox, os::unique_fd memory) {
    memory_.emplace(os::shared_memory::map(std::move(memory), sizeof(worker_memory)));
    {
        const cpython::attached inside(state_);
        probe_.emplace(state_);
    }
    wire::send(worker_socket(), kind::ready, {{"thread_id", probe_->native_thread_id()}});
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
    writer_->hold(); // what is printed while loading is for the cell, and every child has it to print
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

bool worker_program::may_be_copied() {
    const cpython::attached inside(state_);
    return code_->may_be_copied();
}

void worker_program::unload() {
    const cpython::attached inside(state_);
    code_->forget();
    writer_->drop();
    inputs_.clear();
}

pid_t worker_program::fork() {
    const cpython::attached inside(state_);
    PyOS_BeforeFork();
    const worker_fork forking;
    const pid_t child = ::fork();
    if (child == 0) {
        PyOS_AfterFork_Child();
        writer_->pass();
        code_->after_fork();
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
                       ? std::make_shared<remote_feed>(worker_socket(), inbox, shared().results)
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
        wire::send(worker_socket(), kind::failed, {{"message", error.what()}});
        return false;
    }
    wire::send(worker_socket(), kind::prepared, {{"keeps", inputs_kept()}, {"import_ns", import_time().count()}});
    return true;
}

// Each worker process has a sampler of its own: they share the budget.
void worker_program::begin_sampling(int workers, run::nanoseconds period) {
    if (period <= run::nanoseconds{0})
        return;
    try {
        sampler_.emplace(period, run::sampler::half_a_percent * workers);
        sampler_->add(*probe_, shared().samples);
    } catch (const std::exception&) { // no memory or no thread for it: the code runs all the same, unseen
        sampler_.reset();
    }
}

std::optional<model::sampling_record> worker_program::end_sampling() {
    if (!sampler_)
        return std::nullopt;
    sampler_->remove(*probe_);
    const auto record = sampler_->record();
    sampler_.reset();
    return record;
}

void worker_program::begin_jobs(int workers, run::nanoseconds sample_period) {
    core_.pin(-1);
    const cpython::attached inside(state_);
    code_->forget(); // a process that was forked may hold a task, and its output, that was meant for another worker
    writer_->drop();
    jobs_.emplace(code_->for_jobs());
    begin_sampling(workers, sample_period);
    block_interrupts(false);
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
        drop_interrupt(); // that was for the call before
        if (call.about == functions::enclosed_afresh)
            jobs_->forget();
        given = jobs_->call(call.what, call.inputs);
    }
    if (is_copy()) {
        writer_->flush();
        executors::end_copy(given.how);
    }
    nlohmann::json fields;
    if (large)
        fields["keeps"] = inputs_kept();
    const auto what = writer_->flush() ? kind::printed : kind::answered;
    bool lent = false;
    try {
        const auto packed = pack_answer(given);
        lent = !packed.buffers.empty();
        wire::send_content(worker_socket(), what, packed, fields);
    } catch (const std::bad_alloc&) { // nothing was sent: there is no memory even for the message
        given = {0, {}, no_memory(), {}};
        wire::send_content(worker_socket(), what, pack_answer(given), fields);
    }
    if (!lent)
        return;
    given = {};
    const cpython::attached inside(state_);
    cpython::release_buffers();
}

void worker_program::end_jobs() {
    if (!jobs_)
        return;
    end_sampling();
    block_interrupts(true);
    const cpython::attached inside(state_);
    drop_interrupt();
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
        if (is_copy())
            end_copy();
        block_interrupts(true);
        drop_interrupt();
    });
    used.sampling = end_sampling();
    tell_memory(used);
    run::reply answer;
    {
        const cpython::attached inside(state_);
        answer = code_->collect();
    }
    writer_->flush();
    const bool lent = !answer.output.buffers.empty();
    try {
        auto fields = to_fields(used, answer);
        fields["keeps"] = inputs_kept();
        wire::send(worker_socket(), kind::done, fields, {&answer.output, nullptr, {}});
    } catch (const std::bad_alloc&) { // nothing was sent: there is no memory even for the message
        answer = {};
        answer.how = no_memory();
        auto fields = to_fields(used, answer);
        fields["keeps"] = inputs_kept();
        wire::send(worker_socket(), kind::done, fields);
    }
    answer = {};
    if (lent) {
        const cpython::attached inside(state_);
        cpython::release_buffers();
    }
}

void worker_program::end_copy() noexcept {
    const auto answer = code_->collect();
    writer_->flush();
    executors::end_copy(answer.how);
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
    // What is shared takes a walk over all pages: only where that is nothing beside the run itself, or much has
    // changed.
    constexpr run::nanoseconds long_run = std::chrono::milliseconds{20};
    constexpr std::int64_t much = 1 << 20;
    const auto resident = used.memory_bytes.value_or(0);
    if (used.run->length() > long_run || std::abs(resident - resident_at_shares_) > much) {
        shares_ = os::memory_shares();
        resident_at_shares_ = resident;
    }
    used.proportional_bytes = shares_.proportional;
    used.unique_bytes = shares_.unique;
}

} // namespace xcores::executors
