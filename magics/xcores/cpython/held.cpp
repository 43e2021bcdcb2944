// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/cpython/held.hpp>

#include <atomic>
#include <map>
#include <mutex>
#include <vector>

namespace xcores::cpython {
namespace {

/// Objects whose last holder was not attached, by the interpreter that must let them go.
struct returned_objects {
    std::mutex mutex;
    std::atomic<bool> any = false;
    std::map<PyInterpreterState*, std::vector<PyObject*>> objects;
};
returned_objects& returned() {
    static auto* all = new returned_objects; // never destroyed: threads left behind may still give back
    return *all;
}

PyInterpreterState* attached_to() noexcept {
    auto* state = PyThreadState_GetUnchecked();
    return state ? PyThreadState_GetInterpreter(state) : nullptr;
}

} // namespace

std::shared_ptr<void> hold(object owned) {
    auto* home = PyInterpreterState_Get();
    return {owned.release(), [home](void* pointer) {
                auto* what = static_cast<PyObject*>(pointer);
                if (attached_to() == home) {
                    Py_XDECREF(what);
                    return;
                }
                const std::lock_guard lock(returned().mutex);
                returned().objects[home].push_back(what);
                returned().any = true;
            }};
}

object held(const std::shared_ptr<void>& from) {
    return object(Py_XNewRef(static_cast<PyObject*>(from.get())));
}

void release_held() noexcept {
    if (!returned().any.load(std::memory_order_relaxed))
        return;
    std::vector<PyObject*> mine;
    {
        const std::lock_guard lock(returned().mutex);
        const auto found = returned().objects.extract(PyInterpreterState_Get());
        returned().any = !returned().objects.empty();
        if (found)
            mine = std::move(found.mapped());
    }
    for (auto* one : mine)
        Py_XDECREF(one);
}

} // namespace xcores::cpython
