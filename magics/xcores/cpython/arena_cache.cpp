// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/cpython/arena_cache.hpp>

#include <array>
#include <mutex>

#include <Python.h>

namespace xcores::cpython {
namespace {

constexpr std::size_t arena_size = std::size_t{1} << 20;

PyObjectArenaAllocator system_memory;
std::mutex mutex; // only ever tried: a child of fork() may find it locked for good
std::array<void*, most_kept_bytes / arena_size> kept;
std::size_t count = 0;

void* take(void*, std::size_t size) {
    if (const std::unique_lock lock(mutex, std::try_to_lock); lock && size == arena_size && count > 0)
        return kept[--count];
    return system_memory.alloc(system_memory.ctx, size);
}

void give_back(void*, void* memory, std::size_t size) {
    if (const std::unique_lock lock(mutex, std::try_to_lock); lock && size == arena_size && count < kept.size()) {
        kept[count++] = memory;
        return;
    }
    system_memory.free(system_memory.ctx, memory, size);
}

} // namespace

void keep_arenas() noexcept {
    static std::once_flag once;
    std::call_once(once, [] {
        PyObject_GetArenaAllocator(&system_memory);
        PyObjectArenaAllocator keeping{nullptr, take, give_back};
        PyObject_SetArenaAllocator(&keeping);
    });
}

} // namespace xcores::cpython
