// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/os/thread_events.hpp>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <system_error>

#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <xcores/os/fork_count.hpp>

namespace xcores::os {
namespace {

// An ordinary user may lock perf_event_mlock_kb (516) for each core and RLIMIT_MEMLOCK beyond that, all threads
// together: the buffer of one is small.
constexpr std::size_t page = 4096;
constexpr std::size_t ring_size = 8 * page; ///< about 1,000 records; a power of two
constexpr std::size_t mapped = page + ring_size;
constexpr std::size_t longest_record = 96; ///< of those asked for, and the one that tells of lost ones before it

// Every record ends in the sample's identity: process and thread, time, core (perf_event_open(2), sample_id).
constexpr std::uint64_t identity = PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_CPU;
constexpr std::uint16_t time_from_end = 16;
constexpr std::uint16_t core_from_end = 8;

perf_event_attr switch_attributes() noexcept {
    perf_event_attr made{};
    made.size = sizeof made;
    made.type = PERF_TYPE_SOFTWARE;
    made.config = PERF_COUNT_SW_DUMMY;
    made.context_switch = 1;
    made.task = 1; // the end of the thread
    made.sample_type = identity;
    made.sample_id_all = 1;
    made.exclude_kernel = 1;
    made.exclude_hv = 1;
    made.use_clockid = 1;
    made.clockid = CLOCK_MONOTONIC;
    return made;
}

unique_fd open_event(perf_event_attr what, std::int64_t native_id) {
    constexpr int any_core = -1;
    constexpr int no_group = -1;
    const auto fd =
        ::syscall(SYS_perf_event_open, &what, static_cast<pid_t>(native_id), any_core, no_group, PERF_FLAG_FD_CLOEXEC);
    if (fd < 0)
        throw std::system_error(errno, std::generic_category(), "perf_event_open");
    return unique_fd(static_cast<int>(fd));
}

/// The first event of a machine makes the kernel patch its own code, and so does the first one a second after the last
/// was closed: 8 to 18 ms were measured (the static key perf_sched_events; Linux 6.18). One that counts nothing stays.
void keep_one_open() {
    static const parents_fd standing([] {
        auto what = switch_attributes();
        what.disabled = 1;
        return open_event(what, 0);
    });
}

} // namespace

std::error_code thread_events::refusal() noexcept {
    try {
        const thread_events tried(::syscall(SYS_gettid));
        return {};
    } catch (const std::system_error& error) {
        return error.code();
    }
}

thread_events::thread_events(std::int64_t native_id)
    : made_in_(fork_count()), switches_([&] { return open_event(switch_attributes(), native_id); }) {
    keep_one_open();
    void* const memory = ::mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_SHARED, switches_.get(), 0);
    if (memory == MAP_FAILED)
        throw std::system_error(errno, std::generic_category(), "mmap of a perf event");
    ring_ = memory;
}

thread_events::~thread_events() {
    if (fork_count() ==
        made_in_) // perf's mappings are not copied by fork: there, something else may lie in their place
        ::munmap(ring_, mapped);
}

bool thread_events::is_full() const noexcept {
    if (fork_count() != made_in_)
        return false;
    auto& head_and_tail = *static_cast<perf_event_mmap_page*>(ring_);
    const auto head = std::atomic_ref(head_and_tail.data_head).load(std::memory_order_acquire);
    return ring_size - (head - head_and_tail.data_tail) < longest_record;
}

void thread_events::pause() noexcept {
    ::ioctl(switches_.get(), PERF_EVENT_IOC_DISABLE, 0);
}

void thread_events::resume() noexcept {
    ::ioctl(switches_.get(), PERF_EVENT_IOC_ENABLE, 0);
}

const std::optional<thread_events::record>& thread_events::front() noexcept {
    if (!next_)
        next_ = read();
    return next_;
}

/// From `position` to where the visitor says false, or to the end. Returns where that is.
template <typename Visitor>
std::uint64_t thread_events::visit(std::uint64_t position, Visitor&& visitor) const noexcept {
    const std::atomic_ref head(static_cast<perf_event_mmap_page*>(ring_)->data_head);
    for (bool goes_on = true; goes_on && position != head.load(std::memory_order_acquire);) {
        perf_event_header header;
        const auto first = word_at(position);
        std::memcpy(&header, &first, sizeof header);
        const auto found = parse(position, header.size);
        position += header.size;
        goes_on = !found || visitor(*found);
    }
    return position;
}

std::optional<thread_events::record> thread_events::read() noexcept {
    if (fork_count() != made_in_)
        return std::nullopt;
    std::optional<record> found;
    const std::atomic_ref tail(static_cast<perf_event_mmap_page*>(ring_)->data_tail);
    const auto end = visit(tail.load(std::memory_order_relaxed), [&](const record& each) {
        found = each;
        return false;
    });
    tail.store(end, std::memory_order_release);
    return found;
}

thread_events::summary thread_events::ahead(std::optional<nanoseconds> on_core_since,
                                            nanoseconds until) const noexcept {
    summary sum;
    bool has_core = on_core_since.has_value();
    auto since = on_core_since.value_or(until);
    const auto add = [&](const record& each) {
        sum.on_core += has_core ? each.time - since : nanoseconds{0};
        has_core = each.kind == event::on_core || each.kind == event::lost; // a thread that writes a record has a core
        since = each.time;
        sum.switches += each.kind == event::on_core ? 1 : 0;
        return true;
    };
    if (fork_count() != made_in_)
        return sum;
    if (next_)
        add(*next_);
    visit(static_cast<const perf_event_mmap_page*>(ring_)->data_tail, add);
    sum.on_core += has_core ? until - since : nanoseconds{0};
    return sum;
}

std::uint64_t thread_events::word_at(std::uint64_t position) const noexcept {
    std::uint64_t word = 0;
    std::memcpy(&word, static_cast<const char*>(ring_) + page + position % ring_size, sizeof word);
    return word;
}

std::optional<thread_events::record> thread_events::parse(std::uint64_t position, std::uint16_t size) const noexcept {
    perf_event_header header;
    const auto first = word_at(position);
    std::memcpy(&header, &first, sizeof header);
    record made;
    made.time = nanoseconds{static_cast<std::int64_t>(word_at(position + size - time_from_end))};
    made.core = static_cast<int>(word_at(position + size - core_from_end) & 0xFFFFFFFFU);
    switch (header.type) {
    case PERF_RECORD_SWITCH:
        if ((header.misc & PERF_RECORD_MISC_SWITCH_OUT) == 0)
            made.kind = event::on_core;
        else
            made.kind = (header.misc & PERF_RECORD_MISC_SWITCH_OUT_PREEMPT) != 0 ? event::preempted : event::off_core;
        return made;
    case PERF_RECORD_EXIT:
        made.kind = event::ended;
        return made;
    case PERF_RECORD_LOST:
    case PERF_RECORD_THROTTLE:
        made.kind = event::lost;
        return made;
    default:
        return std::nullopt;
    }
}

} // namespace xcores::os
