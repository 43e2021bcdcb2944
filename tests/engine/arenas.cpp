// SPDX-License-Identifier: BSD-3-Clause
#include <cstdlib>
#include <set>
#include <vector>

#include <Python.h>
#include <catch2/catch_test_macros.hpp>

#include <xcores/cpython/arena_cache.hpp>

using namespace xcores;

namespace {

constexpr std::size_t one_arena = std::size_t{1} << 20;

/// Stands for the system: counts what it has given and not got back.
struct counted {
    std::set<void*> out;

    static void* take(void* self, std::size_t size) {
        return *static_cast<counted*>(self)->out.insert(std::malloc(size)).first;
    }
    static void give_back(void* self, void* memory, std::size_t) {
        CHECK(static_cast<counted*>(self)->out.erase(memory) == 1);
        std::free(memory);
    }
};

} // namespace

TEST_CASE("some of the memory that objects no longer need is kept for the next ones") {
    counted system;
    PyObjectArenaAllocator before;
    PyObject_GetArenaAllocator(&before);
    PyObjectArenaAllocator counting{&system, counted::take, counted::give_back};
    PyObject_SetArenaAllocator(&counting);
    cpython::keep_arenas();
    PyObjectArenaAllocator keeping;
    PyObject_GetArenaAllocator(&keeping);
    const auto take = [&](std::size_t size) { return keeping.alloc(keeping.ctx, size); };
    const auto give_back = [&](void* memory, std::size_t size) { keeping.free(keeping.ctx, memory, size); };

    std::vector<void*> many;
    constexpr std::size_t more_than_kept = cpython::most_kept_bytes / one_arena + 5;
    for (std::size_t i = 0; i < more_than_kept; ++i)
        many.push_back(take(one_arena));
    CHECK(system.out.size() == more_than_kept);
    for (void* one : many)
        give_back(one, one_arena);
    CHECK(system.out.size() == cpython::most_kept_bytes / one_arena);

    const auto there = system.out;
    void* const again = take(one_arena);
    CHECK(there.contains(again));
    CHECK(system.out == there);
    void* const other_size = take(one_arena / 4);
    CHECK(system.out.size() == there.size() + 1);
    give_back(other_size, one_arena / 4);
    CHECK(system.out == there);

    give_back(again, one_arena);
    PyObject_SetArenaAllocator(&before);
    for (void* one : there)
        std::free(one);
}
