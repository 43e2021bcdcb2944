// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/cpython/interpreter_watch.hpp>

#include <algorithm>
#include <array>
#include <cstring>

namespace xcores::cpython {
namespace {

// A list that changes while it is read could lead round in circles.
constexpr int most_interpreters = 4096;
constexpr int most_threads = 16384;

constexpr std::int64_t main_interpreter = 0;

/// A field out of what was read in one piece. False where the structure is larger than thought.
template <std::size_t Size, typename Value>
bool take(const std::array<char, Size>& bytes, std::size_t offset, Value& value) noexcept {
    if (offset + sizeof value > Size)
        return false;
    std::memcpy(&value, bytes.data() + offset, sizeof value);
    return true;
}

template <typename Value>
Value load(std::uintptr_t address) noexcept {
    return __atomic_load_n(reinterpret_cast<const Value*>(address), __ATOMIC_ACQUIRE);
}

} // namespace

std::vector<interpreter_watch::python_thread> interpreter_watch::find() {
    struct found {
        std::uintptr_t address;
        std::uintptr_t gil;
        std::int64_t id;
    };
    std::vector<found> interpreters;
    std::uintptr_t at = 0;
    memory_.read(reinterpret_cast<std::uintptr_t>(layout_.interpreters), at);
    for (int i = 0; at != 0 && i < most_interpreters; ++i) {
        found one{at, 0, 0};
        std::uintptr_t next = 0;
        if (!memory_.read(at + layout_.interpreter_gil, one.gil) ||
            !memory_.read(at + layout_.interpreter_id, one.id) || !memory_.read(at + layout_.interpreter_next, next))
            break;
        if (one.gil != 0)
            interpreters.push_back(one);
        at = next;
    }
    std::ranges::sort(interpreters, {}, &found::id);
    const auto owner_of = [&](std::uintptr_t gil) { return std::ranges::find(interpreters, gil, &found::gil)->id; };
    const std::lock_guard lock(mutex_);
    for (entry& one : gils_)
        one.alive = std::ranges::any_of(interpreters, [&](const found& each) { return each.gil == one.address; }) &&
                    owner_of(one.address) == one.interpreter;
    std::vector<python_thread> threads;
    threads_.clear();
    for (const found& one : interpreters)
        find_threads(one.address, position_of(one.gil, owner_of(one.gil)), threads);
    std::ranges::sort(threads_, {}, &known_thread::state);
    return threads;
}

int interpreter_watch::position_of(std::uintptr_t address, std::int64_t owner) {
    // A new interpreter can lie where one lay that has ended: so the address alone says nothing.
    const auto known = std::ranges::find_if(
        gils_, [&](const entry& one) { return one.alive && one.address == address && one.interpreter == owner; });
    if (known != gils_.end())
        return static_cast<int>(known - gils_.begin());
    entry made{address, owner, unknown, 0, 0, true};
    holding now;
    if (read(made, now))
        made.switches = made.switches_before = now.switches;
    gils_.push_back(made);
    return static_cast<int>(gils_.size() - 1);
}

void interpreter_watch::find_threads(std::uintptr_t interpreter, int gil, std::vector<python_thread>& into) {
    std::uintptr_t at = 0;
    memory_.read(interpreter + layout_.interpreter_threads, at);
    for (int i = 0; at != 0 && i < most_threads; ++i) {
        std::array<char, 256> state;
        std::uintptr_t owner = 0;
        std::uintptr_t next = 0;
        unsigned long native_id = 0;
        if (!memory_.read(at, state) || !take(state, layout_.thread_interpreter, owner) || owner != interpreter ||
            !take(state, layout_.thread_native_id, native_id) || !take(state, layout_.thread_next, next))
            break; // it has ended meanwhile; the rest is seen the next time
        if (native_id != 0) {
            into.push_back({static_cast<std::int64_t>(native_id), gil});
            threads_.push_back({at, static_cast<std::int64_t>(native_id)});
        }
        at = next;
    }
}

bool interpreter_watch::read(const entry& one, holding& into) const noexcept {
    if (one.interpreter == main_interpreter) { // it lives as long as the process, so its GIL can be read as it is
        into.holder = load<std::uintptr_t>(one.address + layout_.gil_last_holder);
        into.locked = load<int>(one.address + layout_.gil_locked);
        into.switches = load<unsigned long>(one.address + layout_.gil_switch_number);
        return true;
    }
    // In one piece: each read is a system call.
    std::array<char, 64> bytes; // the facts come first in the structure
    return memory_.read(one.address, bytes) && take(bytes, layout_.gil_last_holder, into.holder) &&
           take(bytes, layout_.gil_locked, into.locked) && take(bytes, layout_.gil_switch_number, into.switches);
}

std::int64_t interpreter_watch::holder_of(entry& one) const noexcept {
    holding before;
    if (!read(one, before))
        return unknown;
    one.switches = std::max(one.switches, before.switches);
    if (before.locked == 0)
        return nobody;
    if (before.locked != 1 || before.holder == 0)
        return unknown;
    // A thread state that was found may have ended, and another lie in its place: then for the few milliseconds to the
    // next find() the GIL is held by nobody who is watched.
    const auto known = std::ranges::lower_bound(threads_, before.holder, {}, &known_thread::state);
    if (known != threads_.end() && known->state == before.holder)
        return known->native_id;
    // Only while it holds the GIL is a thread state sure to be alive.
    const auto native_id = native_id_of(before.holder);
    holding after;
    return read(one, after) && after == before ? native_id : unknown;
}

std::int64_t interpreter_watch::native_id_of(std::uintptr_t thread_state) const noexcept {
    unsigned long native_id = 0;
    const bool known = memory_.read(thread_state + layout_.thread_native_id, native_id) && native_id != 0;
    return known ? static_cast<std::int64_t>(native_id) : unknown;
}

void interpreter_watch::look() noexcept {
    const std::lock_guard lock(mutex_);
    for (entry& one : gils_)
        one.holder = one.alive ? holder_of(one) : nobody;
}

model::gil_state interpreter_watch::state_of(std::int64_t native_id, int position) const noexcept {
    const std::lock_guard lock(mutex_);
    const auto index = static_cast<std::size_t>(position);
    if (position < 0 || index >= gils_.size() || gils_[index].holder == unknown)
        return model::gil_state::unknown;
    return gils_[index].holder == native_id ? model::gil_state::held : model::gil_state::not_held;
}

std::uint64_t interpreter_watch::handovers_of(int position) const noexcept {
    const std::lock_guard lock(mutex_);
    const auto index = static_cast<std::size_t>(position);
    return position < 0 || index >= gils_.size() ? 0 : gils_[index].switches;
}

std::uintptr_t interpreter_watch::address_of(int position) const noexcept {
    const std::lock_guard lock(mutex_);
    const auto index = static_cast<std::size_t>(position);
    const bool known = position >= 0 && index < gils_.size() && gils_[index].alive;
    return known ? gils_[index].address : 0;
}

int interpreter_watch::main_gil() const noexcept {
    const std::lock_guard lock(mutex_);
    const auto found = std::ranges::find(gils_, main_interpreter, &entry::interpreter);
    return found == gils_.end() ? -1 : static_cast<int>(found - gils_.begin());
}

bool interpreter_watch::holds_any(std::int64_t native_id) const noexcept {
    const std::lock_guard lock(mutex_);
    return std::ranges::any_of(gils_, [&](const entry& one) { return one.holder == native_id; });
}

bool interpreter_watch::is_in_a_gil(std::uintptr_t address) const noexcept {
    const std::lock_guard lock(mutex_);
    return std::ranges::any_of(gils_, [&](const entry& one) {
        return one.alive && address >= one.address && address < one.address + layout_.gil_size;
    });
}

std::vector<interpreter_watch::gil_facts> interpreter_watch::gils() const {
    const std::lock_guard lock(mutex_);
    std::vector<gil_facts> facts;
    for (const entry& one : gils_)
        facts.push_back({one.interpreter == main_interpreter ? "main interpreter"
                                                             : "interpreter " + std::to_string(one.interpreter),
                         one.interpreter == main_interpreter, one.switches - one.switches_before});
    return facts;
}

} // namespace xcores::cpython
