// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/executors/job_wire.hpp>

#include <xcores/cpython/job_code.hpp>
#include <xcores/cpython/plain_value.hpp>
#include <xcores/executors/usage_json.hpp>

namespace xcores::executors {
namespace {

using cpython::append_number;
using cpython::take_bytes;
using cpython::take_number;

void append(run::payload& to, const run::payload& one) {
    append_number(to.data, one.data.size());
    append_number(to.data, one.buffers.size());
    to.data += one.data;
    to.buffers.insert(to.buffers.end(), one.buffers.begin(), one.buffers.end());
}

void append(run::payload& to, const std::string& text) {
    append_number(to.data, text.size());
    to.data += text;
}

/// Reads what `append` wrote.
class reader {
public:
    explicit reader(const run::payload& from)
        : rest_(from.data), next_(from.buffers.begin()), end_(from.buffers.end()) {}

    std::uint64_t number() { return take_number(rest_); }
    std::string text() { return std::string(take_bytes(rest_, number())); }
    run::payload one() {
        const auto size = number();
        const auto count = static_cast<std::ptrdiff_t>(number());
        if (count > end_ - next_)
            throw cpython::error("a message lacks buffers");
        run::payload made{std::string(take_bytes(rest_, size)), {next_, next_ + count}};
        next_ += count;
        return made;
    }

private:
    std::string_view rest_;
    std::vector<run::buffer>::const_iterator next_;
    std::vector<run::buffer>::const_iterator end_;
};

} // namespace

bool goes_at_once(const run::call& one) {
    constexpr std::size_t most = 32 * 1024;
    std::size_t size = one.of->what()->code.data.size();
    for (const auto& input : one.inputs)
        size = input.buffers.empty() ? size + input.data.size() : most;
    return size < most && one.of->what()->code.buffers.empty();
}

functions sent_functions::before_sending(std::uint64_t number) {
    if (known_.contains(number))
        return functions::known;
    const bool full = ++sends_ >= cpython::job_code::capacity;
    if (full)
        *this = {};
    known_.insert(number);
    return full ? functions::enclosed_afresh : functions::enclosed;
}

run::payload pack_call(const run::call& one, functions about) {
    run::payload made;
    const auto& what = *one.of->what();
    append_number(made.data, what.number);
    append_number(made.data, static_cast<std::uint64_t>(about));
    if (about != functions::known)
        append(made, what.code);
    append_number(made.data, one.inputs.size());
    for (const auto& input : one.inputs)
        append(made, input);
    return made;
}

unpacked_call unpack_call(const run::payload& from) {
    reader rest(from);
    unpacked_call made;
    made.what.number = rest.number();
    made.about = static_cast<functions>(rest.number());
    if (made.about != functions::known)
        made.what.code = rest.one();
    for (auto count = rest.number(); count > 0; --count)
        made.inputs.push_back(rest.one());
    return made;
}

run::payload pack_answer(const run::answer& given) {
    run::payload made;
    append_number(made.data, given.done);
    append(made, given.results);
    append_number(made.data, static_cast<std::uint64_t>(given.how.kind));
    if (given.how.kind == model::outcome_kind::returned)
        return made;
    append(made, given.how.type);
    append(made, given.how.message);
    append(made, given.how.traceback);
    append(made, given.error);
    return made;
}

run::answer unpack_answer(const run::payload& from, std::size_t calls) {
    reader rest(from);
    run::answer given;
    given.done = rest.number();
    given.results = rest.one();
    given.how.kind = outcome_kind_of(static_cast<std::int64_t>(rest.number()));
    const bool returned = given.how.kind == model::outcome_kind::returned;
    if (returned ? given.done != calls : given.done >= calls)
        throw cpython::error("a worker process sent an answer to other calls");
    if (returned)
        return given;
    given.how.type = rest.text();
    given.how.message = rest.text();
    given.how.traceback = rest.text();
    given.error = rest.one();
    return given;
}

} // namespace xcores::executors
