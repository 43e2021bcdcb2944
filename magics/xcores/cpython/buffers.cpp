// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/cpython/buffers.hpp>

#include <cstring>
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
    return PyBuffer_FillInfo(view, self, const_cast<std::byte*>(bytes.data), static_cast<Py_ssize_t>(bytes.size), 1,
                             flags);
}

void free_exporter(PyObject* self) {
    auto* type = Py_TYPE(self);
    reinterpret_cast<exporter_object*>(self)->bytes.~buffer();
    type->tp_free(self);
    Py_DECREF(type);
}

PyType_Slot exporter_slots[] = {{Py_bf_getbuffer, reinterpret_cast<void*>(export_bytes)},
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

/// Views whose last user is gone, by the interpreter that must let them go.
struct returned_views {
    std::mutex mutex;
    std::map<std::int64_t, std::vector<Py_buffer*>> views;
};
returned_views& returned() {
    static auto* all = new returned_views; // never destroyed: threads left behind may still give back
    return *all;
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

run::buffer buffer_of(PyObject* exporter) {
    auto view = std::make_unique<Py_buffer>();
    if (PyObject_GetBuffer(exporter, view.get(), PyBUF_SIMPLE) != 0)
        throw_current();
    const auto interpreter = PyInterpreterState_GetID(PyInterpreterState_Get());
    auto give_back = [interpreter](Py_buffer* one) {
        const std::lock_guard lock(returned().mutex);
        returned().views[interpreter].push_back(one);
    };
    const auto* data = static_cast<const std::byte*>(view->buf);
    const auto size = static_cast<std::size_t>(view->len);
    return {data, size, std::shared_ptr<const void>(view.release(), [give_back](const void* one) {
                give_back(static_cast<Py_buffer*>(const_cast<void*>(one)));
            })};
}

run::buffer copy_of(PyObject* exporter) {
    Py_buffer view;
    if (PyObject_GetBuffer(exporter, &view, PyBUF_SIMPLE) != 0)
        throw_current();
    const auto size = static_cast<std::size_t>(view.len);
    const std::shared_ptr<std::byte[]> bytes(new std::byte[size]);
    std::memcpy(bytes.get(), view.buf, size);
    PyBuffer_Release(&view);
    return {bytes.get(), size, bytes};
}

void release_buffers() noexcept {
    std::vector<Py_buffer*> mine;
    {
        const std::lock_guard lock(returned().mutex);
        mine = std::exchange(returned().views[PyInterpreterState_GetID(PyInterpreterState_Get())], {});
    }
    for (auto* view : mine) {
        PyBuffer_Release(view);
        delete view;
    }
}

} // namespace xcores::cpython
