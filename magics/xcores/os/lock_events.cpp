// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/os/lock_events.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <mutex>
#include <vector>

#include <dlfcn.h>
#include <sched.h>
#include <unistd.h>

#include <xcores/os/fork_count.hpp>
#include <xcores/os/imports.hpp>

namespace xcores::os {

/// What one thread writes and one reads. Never freed, since a thread may be about to write; used again for others.
struct buffer {
    static constexpr std::uint64_t kind_bits = 2;

    std::atomic<std::int64_t> native_id = 0; ///< 0: nobody's
    std::atomic<const pthread_mutex_t*> mutex;
    std::atomic<const pthread_mutex_t*> switching;
    std::atomic<const pthread_cond_t*> condition;
    std::atomic<const int*> taken;

    std::atomic<bool> is_used = false; ///< by its thread, at this moment
    std::atomic<bool> is_on = false;
    std::atomic<bool> is_full = false;
    std::atomic<std::uint64_t> written = 0;
    std::atomic<std::uint64_t> taken_out = 0;
    struct entry {
        std::atomic<std::int64_t> time;
        std::atomic<std::uint64_t> kind_and_wanted; ///< how long before `time`, in ns, above the kind
    };
    std::array<entry, lock_events::capacity> entries;

    void write(lock_events::event kind, nanoseconds time, nanoseconds waited) noexcept {
        if (!is_on.load(std::memory_order_relaxed))
            return;
        const auto place = written.load(std::memory_order_relaxed);
        if (place - taken_out.load(std::memory_order_acquire) == entries.size()) {
            is_on.store(false, std::memory_order_relaxed);
            is_full.store(true, std::memory_order_release);
            return;
        }
        entry& next = entries[place % entries.size()];
        next.time.store(time.count(), std::memory_order_relaxed);
        next.kind_and_wanted.store(static_cast<std::uint64_t>(waited.count()) << kind_bits |
                                       static_cast<std::uint64_t>(kind),
                                   std::memory_order_relaxed);
        written.store(place + 1, std::memory_order_release);
    }
};

namespace {

using event = lock_events::event;

/// Made as they are needed, from the first on. Constant-initialised and never destroyed: the functions below are called
/// before and after everything else.
constinit std::array<std::atomic<buffer*>, lock_events::most_threads> buffers{};
constinit std::atomic<std::size_t> buffers_made = 0;
constinit std::atomic<unsigned> generation = 1; ///< of the assignment of threads to buffers
constinit std::mutex assigning;

/// The functions themselves: known before the first call can come here.
template <typename Function>
class real_function {
public:
    template <typename... Arguments>
    auto operator()(Arguments... arguments) const noexcept {
        return found_.load(std::memory_order_acquire)(arguments...);
    }
    /// Failure: std::system_error.
    void find(const char* name) {
        auto* const found = ::dlsym(RTLD_DEFAULT, name);
        if (!found)
            throw std::system_error(ENOENT, std::generic_category(), name);
        found_.store(reinterpret_cast<Function*>(found), std::memory_order_release);
    }

private:
    std::atomic<Function*> found_ = nullptr;
};

struct functions {
    real_function<int(pthread_mutex_t*)> mutex_lock;
    real_function<int(pthread_mutex_t*)> mutex_unlock;
    real_function<int(pthread_cond_t*, pthread_mutex_t*, const timespec*)> cond_timedwait;
};
constinit functions real{};

/// What the calling thread knows of itself.
struct thread_knowledge {
    unsigned generation;
    buffer* mine; ///< null: it is not recorded
    lock_parts lock;
    bool is_inside; ///< has the lock's mutex
    bool has_said;  ///< that it wants the lock, in a record
    std::int64_t wanted;
};
// The initial-exec model neither calls a function nor allocates.
__attribute__((tls_model("initial-exec"))) constinit thread_local thread_knowledge own{};

lock_parts parts_in(const buffer& from) noexcept {
    return {from.mutex.load(std::memory_order_acquire), from.switching.load(std::memory_order_acquire),
            from.condition.load(std::memory_order_acquire), from.taken.load(std::memory_order_acquire)};
}

buffer* buffer_of(std::int64_t native_id) noexcept {
    const auto made = buffers_made.load(std::memory_order_acquire);
    for (std::size_t i = 0; i < made; ++i) {
        buffer* const each = buffers[i].load(std::memory_order_acquire);
        if (each->native_id.load(std::memory_order_acquire) == native_id)
            return each;
    }
    return nullptr;
}

/// Again where a buffer was given to another thread meanwhile.
__attribute__((noinline)) void look_up() noexcept {
    const std::int64_t id = ::gettid();
    do {
        const auto current = generation.load(std::memory_order_acquire);
        buffer* const mine = buffer_of(id);
        own = {.generation = current,
               .mine = mine,
               .lock = mine ? parts_in(*mine) : lock_parts{},
               .is_inside = false,
               .has_said = false,
               .wanted = 0};
    } while (generation.load(std::memory_order_acquire) != own.generation);
}

inline bool is_recorded() noexcept {
    if (own.generation != generation.load(std::memory_order_acquire)) [[unlikely]]
        look_up();
    return own.mine && own.mine->is_on.load(std::memory_order_relaxed);
}

/// The buffer may be given to another thread at any time but while this says otherwise.
void note(event kind, nanoseconds time, nanoseconds waited = nanoseconds{0}) noexcept {
    buffer& mine = *own.mine;
    mine.is_used.store(true, std::memory_order_seq_cst);
    if (generation.load(std::memory_order_seq_cst) == own.generation)
        mine.write(kind, time, waited);
    mine.is_used.store(false, std::memory_order_release);
}

/// One that waits for another to take the lock was asked to give it away. It wants it back then, unless it was about to
/// give it away anyhow, for a blocking call: so the wish ends with this wait, and a new one follows at once or not.
int mutex_lock(pthread_mutex_t* mutex) noexcept {
    if (!is_recorded()) [[likely]]
        return real.mutex_lock(mutex);
    if (mutex == own.lock.mutex) {
        const auto time = now();
        const int result = real.mutex_lock(mutex);
        own.is_inside = true;
        own.has_said = false;
        own.wanted = time.count();
        return result;
    }
    if (mutex == own.lock.switching && !own.is_inside)
        note(event::wants, now());
    return real.mutex_lock(mutex);
}

int cond_timedwait(pthread_cond_t* condition, pthread_mutex_t* mutex, const timespec* until) noexcept {
    if (is_recorded() && condition == own.lock.condition && !own.has_said) {
        note(event::wants, own.is_inside ? nanoseconds{own.wanted} : now());
        own.is_inside = true;
        own.has_said = true;
    }
    return real.cond_timedwait(condition, mutex, until);
}

int mutex_unlock(pthread_mutex_t* mutex) noexcept {
    if (!is_recorded()) [[likely]]
        return real.mutex_unlock(mutex);
    if (mutex != own.lock.mutex) {
        if (mutex == own.lock.switching && !own.is_inside)
            note(event::rests, now());
        return real.mutex_unlock(mutex);
    }
    const auto time = now();
    const bool is_taken = std::atomic_ref(*const_cast<int*>(own.lock.taken)).load(std::memory_order_relaxed) != 0;
    const bool tells_wish = is_taken && own.is_inside && !own.has_said;
    own.is_inside = false;
    // Before another thread can take the lock: in between this one may lose its core.
    note(is_taken ? event::takes : event::gives, time, tells_wish ? time - nanoseconds{own.wanted} : nanoseconds{0});
    return real.mutex_unlock(mutex);
}

// Of a fork: the child's thread must find the mutex free, and the buffers nobody's.
void before_fork() noexcept {
    assigning.lock();
}
void after_fork() noexcept {
    assigning.unlock();
}
void after_fork_in_child() noexcept {
    for (std::size_t i = 0; i < buffers_made; ++i) {
        buffer& each = *buffers[i].load();
        each.native_id = 0;
        each.is_used = false;
        each.is_on = false;
    }
    generation.fetch_add(1);
    assigning.unlock();
}

/// Failure: std::system_error, each time anew. With `assigning` held.
void replace_calls_in(const void* code) {
    static std::vector<const void*> replaced; // the objects, by where they lie
    Dl_info info;
    if (::dladdr(code, &info) == 0)
        throw std::system_error(ENOENT, std::generic_category(), "no loaded object");
    if (std::ranges::find(replaced, info.dli_fbase) != replaced.end())
        return;
    real.mutex_lock.find("pthread_mutex_lock");
    real.mutex_unlock.find("pthread_mutex_unlock");
    real.cond_timedwait.find("pthread_cond_timedwait");
    const replaced_import all[] = {
        {"pthread_mutex_lock", reinterpret_cast<const void*>(&mutex_lock)},
        {"pthread_mutex_unlock", reinterpret_cast<const void*>(&mutex_unlock)},
        {"pthread_cond_timedwait", reinterpret_cast<const void*>(&cond_timedwait)},
    };
    replaced.reserve(replaced.size() + 1);
    replace_imports(code, all);
    replaced.push_back(info.dli_fbase);
}

std::unique_lock<std::mutex> assignment_lock() {
    [[maybe_unused]] static const int registered = ::pthread_atfork(before_fork, after_fork, after_fork_in_child);
    return std::unique_lock(assigning);
}

/// Failure: std::system_error, EAGAIN.
buffer& unused_buffer() {
    for (std::size_t i = 0; i < buffers.size(); ++i) {
        buffer* each = buffers[i].load();
        if (!each) {
            each = new buffer;
            buffers[i].store(each, std::memory_order_release);
            buffers_made.store(i + 1, std::memory_order_release);
        }
        if (each->native_id.load() == 0)
            return *each;
    }
    throw std::system_error(EAGAIN, std::generic_category(), "too many threads are recorded");
}

} // namespace

lock_events::lock_events(std::int64_t native_id, const lock_parts& lock, const void* code) : made_in_(fork_count()) {
    const auto guard = assignment_lock();
    replace_calls_in(code);
    if (buffer_of(native_id))
        throw std::system_error(EBUSY, std::generic_category(), "the thread is recorded already");
    buffer& mine = unused_buffer();
    mine.mutex = lock.mutex;
    mine.switching = lock.switching;
    mine.condition = lock.condition;
    mine.taken = lock.taken;
    mine.taken_out = mine.written.load();
    mine.is_full = false;
    mine.is_on = true;
    mine.native_id.store(native_id, std::memory_order_release);
    generation.fetch_add(1, std::memory_order_seq_cst);
    buffer_ = &mine;
}

lock_events::~lock_events() {
    if (fork_count() != made_in_) // its buffer may be another's by now
        return;
    const auto guard = assignment_lock();
    buffer_->native_id = 0;
    generation.fetch_add(1, std::memory_order_seq_cst);
    while (
        buffer_->is_used.load(std::memory_order_seq_cst)) // for nanoseconds, unless the thread has just lost its core
        ::sched_yield();
}

std::optional<lock_events::record> lock_events::front() const noexcept {
    const auto place = buffer_->taken_out.load(std::memory_order_relaxed);
    if (fork_count() != made_in_ || place == buffer_->written.load(std::memory_order_acquire))
        return std::nullopt;
    const auto& oldest = buffer_->entries[place % capacity];
    const nanoseconds time{oldest.time.load(std::memory_order_relaxed)};
    const auto word = oldest.kind_and_wanted.load(std::memory_order_relaxed);
    const nanoseconds waited{static_cast<std::int64_t>(word >> buffer::kind_bits)};
    return record{time, time - waited, static_cast<event>(word & ((1U << buffer::kind_bits) - 1))};
}

void lock_events::pop() noexcept {
    buffer_->taken_out.fetch_add(1, std::memory_order_release);
}

bool lock_events::is_full() const noexcept {
    return buffer_->is_full.load(std::memory_order_acquire);
}

void lock_events::pause() noexcept {
    buffer_->is_on = false;
}

void lock_events::resume() noexcept {
    buffer_->taken_out = buffer_->written.load();
    buffer_->is_full = false;
    buffer_->is_on = true;
}

std::error_code lock_events::refusal(const void* code) noexcept {
    try {
        const auto guard = assignment_lock();
        replace_calls_in(code);
        return {};
    } catch (const std::system_error& error) {
        return error.code();
    }
}

} // namespace xcores::os
