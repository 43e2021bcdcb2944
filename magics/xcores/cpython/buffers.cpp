// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/cpython/buffers.hpp>

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <new>

namespace xcores::cpython {
namespace {

/// The Python object behind view_of(): exports the bytes and keeps their owner.
struct exporter_object {
    PyObject_HEAD run::buffer bytes;
};

int export_bytes(PyObject* self, Py_buffer* view, int flags) {
    const auto& bytes = reinterpret_cast<exporter_object*>(self)->bytes;
    return PyBuffer_FillInfo(view, self, const_cast<std::byte*>(bytes.data), static_cast<Py_ssize_t>(bytes.size),
                             bytes.writable ? 0 : 1, flags);
}

void free_exporter(PyObject* self) {
    auto* type = Py_TYPE(self);
    reinterpret_cast<exporter_object*>(self)->bytes.~buffer();
    type->tp_free(self);
    Py_DECREF(type);
}

PyObject* is_constant(PyObject* self, void*) {
    return PyBool_FromLong(reinterpret_cast<exporter_object*>(self)->bytes.constant ? 1 : 0);
}

PyGetSetDef exporter_attributes[] = {{"constant", is_constant, nullptr, nullptr, nullptr},
                                     {nullptr, nullptr, nullptr, nullptr, nullptr}};
PyType_Slot exporter_slots[] = {{Py_tp_getset, exporter_attributes},
                                {Py_bf_getbuffer, reinterpret_cast<void*>(export_bytes)},
                                {Py_tp_dealloc, reinterpret_cast<void*>(free_exporter)},
                                {0, nullptr}};
PyType_Spec exporter_spec = {"_xcores.buffer", sizeof(exporter_object), 0,
                             Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, exporter_slots};

/// The type in the current interpreter: each interpreter has its own.
PyTypeObject* exporter_type() {
    constexpr const char* key = "xcores.buffer_type";
    PyObject* kept = PyInterpreterState_GetDict(PyInterpreterState_Get()); // borrowed
    if (PyObject* type = PyDict_GetItemString(kept, key))                  // borrowed
        return reinterpret_cast<PyTypeObject*>(type);
    const auto made = checked(PyType_FromSpec(&exporter_spec));
    if (PyDict_SetItemString(kept, key, made.get()) != 0)
        throw_current();
    return reinterpret_cast<PyTypeObject*>(made.get());
}

/// Nothing can change them.
bool is_bytes(PyObject* exporter) {
    if (PyMemoryView_Check(exporter))
        exporter = PyMemoryView_GET_BASE(exporter);
    return exporter && PyBytes_CheckExact(exporter);
}

constexpr std::int64_t main_interpreter = 0;

/// What one interpreter has lent.
struct account {
    int lent = 0;
    std::int64_t bytes = 0;           ///< of what is lent and of what has returned
    std::vector<Py_buffer*> returned; ///< nobody looks any more: for the interpreter to let go
};
struct ledger {
    std::mutex mutex;
    std::condition_variable changed;
    std::map<std::int64_t, account> accounts;
    bool python_ends = false;
};
ledger& loans() {
    static auto* all = new ledger; // never destroyed: threads left behind may still give back
    return *all;
}

std::int64_t this_interpreter() {
    return PyInterpreterState_GetID(PyInterpreterState_Get());
}

int release_when_pending(void*) {
    release_buffers();
    return 0;
}

void give_back(std::int64_t interpreter, Py_buffer* view) noexcept {
    {
        const std::lock_guard lock(loans().mutex);
        auto& of = loans().accounts[interpreter];
        --of.lent;
        of.returned.push_back(view);
        loans().changed.notify_all();
    }
    // The user may be waiting for it: while it is lent, a bytearray cannot grow. A worker's interpreter lets go with
    // its next task.
    if (interpreter == main_interpreter && Py_IsInitialized())
        Py_AddPendingCall(release_when_pending, nullptr);
}

} // namespace

object view_of(const run::buffer& bytes) {
    auto* type = exporter_type();
    const object self(type->tp_alloc(type, 0));
    if (!self)
        throw_current();
    new (&reinterpret_cast<exporter_object*>(self.get())->bytes) run::buffer(bytes);
    return checked(PyMemoryView_FromObject(self.get()));
}

run::buffer buffer_of(PyObject* exporter, loan how) {
    auto view = std::make_unique<Py_buffer>();
    if (PyObject_GetBuffer(exporter, view.get(), PyBUF_SIMPLE) != 0)
        throw_current();
    const auto interpreter = this_interpreter();
    const auto* data = static_cast<const std::byte*>(view->buf);
    const auto size = static_cast<std::size_t>(view->len);
    const bool writable = how == loan::given && view->readonly == 0;
    {
        const std::lock_guard lock(loans().mutex);
        auto& of = loans().accounts[interpreter];
        ++of.lent;
        of.bytes += view->len;
    }
    return {data, size,
            std::shared_ptr<const void>(view.release(),
                                        [interpreter](const void* one) {
                                            give_back(interpreter, static_cast<Py_buffer*>(const_cast<void*>(one)));
                                        }),
            is_bytes(exporter), writable};
}

void release_buffers() noexcept {
    std::vector<Py_buffer*> mine;
    {
        const std::lock_guard lock(loans().mutex);
        const auto found = loans().accounts.find(this_interpreter());
        if (found == loans().accounts.end())
            return;
        mine = std::exchange(found->second.returned, {});
        for (const auto* view : mine)
            found->second.bytes -= view->len;
        if (found->second.lent == 0)
            loans().accounts.erase(found);
    }
    for (auto* view : mine) {
        PyBuffer_Release(view);
        delete view;
    }
}

bool lends(std::int64_t interpreter) noexcept {
    const std::lock_guard lock(loans().mutex);
    const auto found = loans().accounts.find(interpreter);
    return found != loans().accounts.end() && found->second.lent > 0;
}

std::int64_t lent_bytes(std::int64_t interpreter) noexcept {
    const std::lock_guard lock(loans().mutex);
    const auto found = loans().accounts.find(interpreter);
    return found == loans().accounts.end() ? 0 : found->second.bytes;
}

bool workers_lend() noexcept {
    const std::lock_guard lock(loans().mutex);
    return std::ranges::any_of(loans().accounts,
                               [](const auto& one) { return one.first != main_interpreter && one.second.lent > 0; });
}

void await_returns(std::int64_t interpreter) noexcept {
    std::unique_lock lock(loans().mutex);
    loans().changed.wait(lock, [interpreter] {
        const auto found = loans().accounts.find(interpreter);
        return !loans().python_ends && (found == loans().accounts.end() || found->second.lent == 0);
    });
}

void stop_awaiting_returns() noexcept {
    const std::lock_guard lock(loans().mutex);
    loans().python_ends = true;
}

} // namespace xcores::cpython
