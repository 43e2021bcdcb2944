// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/executors/in_process.hpp>

#include <optional>

#include <unistd.h>

#include <xcores/cpython/buffers.hpp>
#include <xcores/cpython/gil_access.h>
#include <xcores/cpython/gil_probe.hpp>
#include <xcores/cpython/held.hpp>
#include <xcores/cpython/thread_state.hpp>
#include <xcores/cpython/worker_code.hpp>
#include <xcores/executors/interrupter.hpp>
#include <xcores/executors/latest_origin.hpp>
#include <xcores/executors/measured.hpp>
#include <xcores/executors/own_forks.hpp>
#include <xcores/run/lookout.hpp>

namespace xcores::executors {
namespace {

/// What threads and subinterpreters have in common: Python code on the worker's own thread.
class in_process_body : public run::worker_body {
public:
    void prepare(const run::task& what, const run::output_sink& sink) final {
        core_.pin(what.core);
        const cpython::attached inside(state_);
        cpython::release_buffers(); // results of earlier tasks that the notebook has let go of
        code_state_->requested = false;
        connect(sink);
        code_->prepare(what);
    }

    run::nanoseconds import_time() const noexcept final { return code_->import_time(); }

    run::usage execute() final {
        return measured(*probe_, [this] {
            const cpython::attached inside(state_);
            code_state_->executing = true;
            if (code_state_->requested.exchange(false))
                PyThreadState_SetAsyncExc(code_state_->thread_id, PyExc_KeyboardInterrupt);
            const auto process = ::getpid();
            code_->execute();
            if (::getpid() != process) // the cell has forked, and this is the child
                end_copy(code_->collect().how);
            code_state_->executing = false;
            PyThreadState_SetAsyncExc(code_state_->thread_id, nullptr); // one that came too late
        });
    }

    run::reply collect() final {
        const cpython::attached inside(state_);
        return code_->collect();
    }

    void serve(run::job_source& from, const run::serving& how) final {
        core_.pin(-1);
        connect(origin_.sink_to(how.output));
        begin_jobs();
        while (from.wait()) {
            if (!await_gil(from))
                continue;
            const cpython::attached inside(state_);
            cpython::release_held();
            cpython::release_buffers(); // results of earlier jobs that the notebook has let go of
            while (auto one = from.next()) {
                origin_.set(one);
                auto given = interruptible_answer_to(one);
                from.finish(std::move(one), std::move(given));
            }
        }
        end_jobs();
        connect({});
        origin_.reset();
    }

    void interrupt() noexcept final { interrupter_->request(code_state_); }
    bool terminate() noexcept final { return false; } // a thread cannot be ended from outside
    bool alive() const noexcept final { return true; }
    run::probe* thread_probe() noexcept final { return probe_ ? &*probe_ : nullptr; }
    run::nanoseconds cpu_time() const noexcept final { return probe_ ? probe_->cpu_time() : run::nanoseconds{-1}; }
    run::gil_identity gil() const final { return {probe_->gil(), gil_name_}; }
    std::int64_t process_id() const noexcept final { return ::getpid(); }
    std::int64_t native_thread_id() const noexcept final { return probe_->native_thread_id(); }
    bool shares_process() const noexcept final { return true; }

protected:
    virtual void connect(const run::output_sink& sink) = 0;

    // Jobs: the first and last detached, the other attached
    virtual void begin_jobs() = 0;
    virtual run::answer answer_to(const run::call&) = 0;
    virtual void end_jobs() noexcept = 0;

    /// Attached, on the worker's thread.
    void begin(PyThreadState* state, cpython::worker_code code, std::shared_ptr<interrupter> stopper,
               std::string gil_name) {
        state_ = state;
        code_.emplace(std::move(code));
        probe_.emplace(state);
        code_state_->thread_id = PyThread_get_thread_ident();
        interrupter_ = std::move(stopper);
        gil_name_ = std::move(gil_name);
    }

    PyThreadState* state_ = nullptr;
    std::optional<cpython::worker_code> code_;
    std::optional<cpython::gil_probe> probe_;
    std::shared_ptr<interrupter> interrupter_;
    std::shared_ptr<running_code> code_state_ = std::make_shared<running_code>();

private:
    /// False: meanwhile others have done what there was. Who sleeps on the GIL is woken late, and delays who is to have
    /// it next; while a short job runs under it, that is not worth it.
    bool await_gil(const run::job_source& from) {
        return gil_.look_while([&] { return probe_->gil_is_held() && from.has_more(); }) ? from.has_more() : true;
    }
    run::answer interruptible_answer_to(const run::call& one) {
        code_state_->requested = false; // that was for the call before
        code_state_->executing = true;
        auto given = answer_to(one);
        code_state_->executing = false;
        if (code_state_->raised.exchange(false))
            PyThreadState_SetAsyncExc(code_state_->thread_id, nullptr); // one that came too late
        return given;
    }
    latest_origin origin_; ///< while it serves
    run::lookout gil_;
    std::string gil_name_;
    os::core_choice core_;
};

class thread_body final : public in_process_body {
public:
    explicit thread_body(std::shared_ptr<interrupter> stopper) : stopper_(std::move(stopper)) {}

    void open() override {
        auto* state = PyThreadState_New(PyInterpreterState_Main());
        const cpython::attached inside(state);
        begin(state, cpython::worker_code::imported(), stopper_, "main interpreter");
    }
    void close() noexcept override {
        PyEval_RestoreThread(state_);
        code_.reset();
        PyThreadState_Clear(state_);
        PyThreadState_DeleteCurrent();
    }

private:
    void connect(const run::output_sink& sink) override { thread_output() = sink; }
    // Jobs begin with empty context variables, as on a thread that was made for their executor.
    void begin_jobs() override {
        const cpython::attached inside(state_);
        context_ = cpython::checked(PyContext_New());
        if (PyContext_Enter(context_.get()) != 0)
            cpython::throw_current();
    }
    run::answer answer_to(const run::call& one) override {
        return cpython::call_by_reference(*one.of->what(), one.inputs);
    }
    void end_jobs() noexcept override {
        const cpython::attached inside(state_);
        if (PyContext_Exit(context_.get()) != 0)
            PyErr_WriteUnraisable(context_.get());
        context_.reset();
    }
    std::shared_ptr<interrupter> stopper_;
    cpython::object context_;
};

class subinterpreter_body final : public in_process_body {
public:
    subinterpreter_body(std::shared_ptr<const std::string> codes, model::gil_choice gil)
        : codes_(std::move(codes)), gil_choice_(gil) {}

    void open() override {
        auto* creator = PyThreadState_New(PyInterpreterState_Main());
        PyEval_RestoreThread(creator);
        try {
            create();
        } catch (...) {
            leave(creator);
            throw;
        }
        PyEval_SaveThread(); // out of the new interpreter
        PyEval_RestoreThread(creator);
        leave(creator);
    }
    void close() noexcept override {
        interrupter_->close();
        PyEval_RestoreThread(state_);
        code_->before_end();
        code_.reset();
        cpython::release_buffers();
        Py_EndInterpreter(state_);
    }
    std::optional<std::size_t> shares_from() const noexcept override { return 0; }
    bool lends() const noexcept override { return cpython::lends(interpreter_); }
    std::int64_t lent_bytes() const noexcept override { return cpython::lent_bytes(interpreter_); }
    void await_returns() noexcept override { cpython::await_returns(interpreter_); }

private:
    /// Without `site`: the path is the notebook's, and it would be a tenth of the time and of the memory.
    static PyStatus new_interpreter(PyThreadState*& state, const PyInterpreterConfig& config) {
        static std::mutex mutex;
        static int under_way = 0;
        static int before = 0;
        {
            const std::lock_guard lock(mutex);
            if (under_way++ == 0)
                before = xcores_set_site_import(0);
        }
        const auto status = Py_NewInterpreterFromConfig(&state, &config);
        const std::lock_guard lock(mutex);
        if (--under_way == 0)
            xcores_set_site_import(before);
        return status;
    }

    static void leave(PyThreadState* creator) noexcept {
        PyThreadState_Clear(creator);
        PyThreadState_DeleteCurrent();
    }

    // Attached to the main interpreter before; afterwards to the new one, or, on failure, to the main one again.
    void create() {
        const bool own = gil_choice_ == model::gil_choice::own;
        const PyInterpreterConfig isolated = {
            .use_main_obmalloc = own ? 0 : 1,
            .allow_fork = 0,
            .allow_exec = 0,
            .allow_threads = 1,
            .allow_daemon_threads = 0,
            .check_multi_interp_extensions = own ? 1 : 0,
            .gil = own ? PyInterpreterConfig_OWN_GIL : PyInterpreterConfig_SHARED_GIL,
        };
        auto* creator = PyThreadState_Get();
        PyThreadState* state = nullptr;
        const auto status = new_interpreter(state, isolated);
        if (PyStatus_Exception(status))
            throw std::runtime_error(std::string("no new interpreter: ") +
                                     (status.err_msg ? status.err_msg : "no reason given"));
        auto* interpreter = PyThreadState_GetInterpreter(state);
        try {
            auto code = cpython::worker_code::unmarshalled(*codes_, "subinterp", writer());
            interpreter_ = PyInterpreterState_GetID(interpreter);
            begin(state, std::move(code), std::make_shared<interrupter>(interpreter),
                  own ? "interpreter " + std::to_string(interpreter_) : "main interpreter");
        } catch (...) {
            Py_EndInterpreter(state);
            PyEval_RestoreThread(creator);
            throw;
        }
    }

    void connect(const run::output_sink& sink) override {
        const std::lock_guard lock(sink_mutex_);
        sink_ = sink;
    }

    // The interpreter ends before this body does.
    cpython::writer writer() {
        return [this](run::stream to, std::string_view text) {
            const std::lock_guard lock(sink_mutex_);
            if (sink_ && !text.empty()) // nothing is held back here
                sink_(to, text);
        };
    }

    void begin_jobs() override {
        const cpython::attached inside(state_);
        jobs_.emplace(code_->for_jobs());
    }
    run::answer answer_to(const run::call& one) override { return jobs_->call(*one.of->what(), one.inputs); }
    void end_jobs() noexcept override {
        const cpython::attached inside(state_);
        jobs_.reset();
    }

    std::optional<cpython::job_code> jobs_;
    const std::shared_ptr<const std::string> codes_;
    const model::gil_choice gil_choice_;
    std::int64_t interpreter_ = -1;
    std::mutex sink_mutex_; ///< the cell's own threads write too
    run::output_sink sink_;
};

} // namespace

run::output_sink& thread_output() noexcept {
    thread_local run::output_sink sink;
    return sink;
}

std::unique_ptr<run::worker_body> make_thread_body() {
    static const auto stopper = std::make_shared<interrupter>(PyInterpreterState_Main());
    return std::make_unique<thread_body>(stopper);
}

std::unique_ptr<run::worker_body> make_subinterpreter_body(std::shared_ptr<const std::string> worker_codes,
                                                           model::gil_choice gil) {
    return std::make_unique<subinterpreter_body>(std::move(worker_codes), gil);
}

} // namespace xcores::executors
