// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/cpython/item_functions.hpp>

#include <xcores/cpython/buffers.hpp>
#include <xcores/cpython/thread_state.hpp>
#include <xcores/cpython/worker_code.hpp>

namespace xcores::cpython {
namespace {

constexpr const char* feed_key = "xcores.item_feed";
using kept_feed = std::shared_ptr<run::item_feed>;

run::item_feed& feed_of(PyObject* capsule) {
    auto* kept = static_cast<kept_feed*>(PyCapsule_GetPointer(capsule, feed_key));
    if (!kept)
        throw_current();
    return **kept;
}

object item_from(const run::payload& content) {
    auto data = checked(PyBytes_FromStringAndSize(content.data.data(), static_cast<Py_ssize_t>(content.data.size())));
    auto buffers = checked(PyTuple_New(static_cast<Py_ssize_t>(content.buffers.size())));
    for (std::size_t i = 0; i < content.buffers.size(); ++i)
        PyTuple_SET_ITEM(buffers.get(), static_cast<Py_ssize_t>(i), view_of(content.buffers[i]).release());
    return checked(PyTuple_Pack(2, data.get(), buffers.get()));
}

object chunk_from(const run::item_chunk& chunk) {
    auto items = checked(PyList_New(static_cast<Py_ssize_t>(chunk.items.size())));
    for (std::size_t i = 0; i < chunk.items.size(); ++i)
        PyList_SET_ITEM(items.get(), static_cast<Py_ssize_t>(i), item_from(*chunk.items[i]).release());
    return checked(Py_BuildValue("(LO)", static_cast<long long>(chunk.first), items.get()));
}

/// What leaves a C++ function becomes an exception of the interpreter.
template <typename Code>
PyObject* guarded(Code&& code) noexcept {
    try {
        return code().release();
    } catch (const std::exception& failure) {
        PyErr_SetString(PyExc_RuntimeError, failure.what());
        return nullptr;
    }
}

PyObject* take(PyObject* self, PyObject*) {
    return guarded([self] {
        release_buffers(); // results of earlier items that the notebook has let go of
        auto& feed = feed_of(self);
        // Handing the GIL over for each chunk would cost more than many a chunk does.
        auto chunk = feed.try_take();
        if (!chunk) {
            const released let_go;
            chunk = feed.take();
        }
        return chunk && !chunk->items.empty() ? chunk_from(*chunk) : object(Py_NewRef(Py_None));
    });
}

PyObject* done(PyObject* self, PyObject* const* arguments, Py_ssize_t count) {
    return guarded([&] {
        if (count != 2)
            throw error("done(index, answer)");
        const auto index = PyLong_AsLongLong(arguments[0]);
        if (index == -1 && PyErr_Occurred())
            throw_current();
        const bool goes_on = feed_of(self).done(index, worker_code::reply_from(arguments[1]));
        return object(Py_NewRef(goes_on ? Py_True : Py_False));
    });
}

PyMethodDef take_method = {"take", take, METH_NOARGS, "take() -> (first, [(data, buffers), …]) or None"};
PyMethodDef done_method = {"done", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(done)), METH_FASTCALL,
                           "done(index, answer) -> whether to go on"};

} // namespace

object item_functions(std::shared_ptr<run::item_feed> feed) {
    auto kept = std::make_unique<kept_feed>(std::move(feed));
    const auto capsule = checked(PyCapsule_New(kept.get(), feed_key, [](PyObject* ended) {
        delete static_cast<kept_feed*>(PyCapsule_GetPointer(ended, feed_key));
    }));
    kept.release();
    const auto take_function = checked(PyCFunction_New(&take_method, capsule.get()));
    const auto done_function = checked(PyCFunction_New(&done_method, capsule.get()));
    return checked(PyTuple_Pack(2, take_function.get(), done_function.get()));
}

} // namespace xcores::cpython
