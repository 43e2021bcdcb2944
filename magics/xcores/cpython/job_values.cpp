// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/cpython/job_values.hpp>

#include <xcores/cpython/plain_value.hpp>

namespace xcores::cpython {
namespace {

constexpr char plain = 'V';
constexpr char pickled = 'P';

/// The Python exception that stands for one of ours, unless there is one already.
object failed(const std::exception& problem) {
    if (!PyErr_Occurred())
        PyErr_SetString(PyExc_RuntimeError, problem.what());
    return {};
}

} // namespace

bool append_pickle(run::payload& to, PyObject* dump, loan how) {
    if (!PyTuple_Check(dump) || PyTuple_GET_SIZE(dump) != 2) {
        PyErr_SetString(PyExc_TypeError, "dumped() must give (bytes, buffers)");
        return false;
    }
    char* data = nullptr;
    Py_ssize_t size = 0;
    if (PyBytes_AsStringAndSize(PyTuple_GET_ITEM(dump, 0), &data, &size) != 0)
        return false;
    const object buffers(PySequence_Fast(PyTuple_GET_ITEM(dump, 1), "buffers must be a sequence"));
    if (!buffers)
        return false;
    const auto count = PySequence_Fast_GET_SIZE(buffers.get());
    to.data.push_back(pickled);
    append_number(to.data, static_cast<std::uint64_t>(size));
    append_number(to.data, static_cast<std::uint64_t>(count));
    to.data.append(data, static_cast<std::size_t>(size));
    for (Py_ssize_t i = 0; i < count; ++i)
        to.buffers.push_back(buffer_of(PySequence_Fast_GET_ITEM(buffers.get(), i), how));
    return true;
}

bool append_value(run::payload& to, PyObject* value, PyObject* dumped, loan how) {
    to.data.push_back(plain);
    if (append_plain(to.data, value))
        return true;
    to.data.pop_back();
    const object dump(PyObject_CallOneArg(dumped, value));
    if (!dump)
        return false;
    try {
        return append_pickle(to, dump.get(), how);
    } catch (const std::exception& problem) {
        failed(problem);
        return false;
    }
}

object value_reader::next() noexcept {
    try {
        if (take_bytes(rest_, 1).front() == plain)
            return take_plain(rest_);
        return next_pickled();
    } catch (const std::exception& problem) {
        return failed(problem);
    }
}

object value_reader::next_pickled() {
    const auto size = take_number(rest_);
    const auto count = take_number(rest_);
    const auto data = take_bytes(rest_, size);
    const auto bytes = checked(
        PyMemoryView_FromMemory(const_cast<char*>(data.data()), static_cast<Py_ssize_t>(data.size()), PyBUF_READ));
    const auto buffers = checked(PyTuple_New(static_cast<Py_ssize_t>(count)));
    for (std::size_t i = 0; i < count; ++i)
        PyTuple_SET_ITEM(buffers.get(), static_cast<Py_ssize_t>(i), view_of(from_.buffers.at(buffer_++)).release());
    return object(PyObject_CallFunctionObjArgs(loaded_, bytes.get(), buffers.get(), nullptr));
}

bool pack_arguments(run::payload& to, PyObject* positional, PyObject* named, PyObject* dumped) {
    const bool no_names = !named || PyDict_GET_SIZE(named) == 0;
    if (no_names) {
        to.data.push_back(plain);
        bool all = true;
        for (Py_ssize_t i = 0; all && i < PyTuple_GET_SIZE(positional); ++i)
            all = append_plain(to.data, PyTuple_GET_ITEM(positional, i));
        if (all)
            return true;
        to.data.clear();
    }
    const object both(no_names ? PyTuple_Pack(1, positional) : PyTuple_Pack(2, positional, named));
    return both && append_value(to, both.get(), dumped);
}

object call_with(PyObject* callable, const run::payload& arguments, PyObject* loaded) noexcept {
    try {
        std::string_view rest = arguments.data;
        if (rest.empty() || rest.front() == pickled) {
            const auto both = value_reader(arguments, loaded).next();
            if (!both)
                return {};
            auto* named = PyTuple_GET_SIZE(both.get()) == 2 ? PyTuple_GET_ITEM(both.get(), 1) : nullptr;
            return object(PyObject_Call(callable, PyTuple_GET_ITEM(both.get(), 0), named));
        }
        rest.remove_prefix(1);
        constexpr std::size_t most_on_stack = 6;
        object values[most_on_stack];
        PyObject* borrowed[most_on_stack];
        std::size_t count = 0;
        for (; count < most_on_stack && !rest.empty(); ++count) {
            values[count] = take_plain(rest);
            borrowed[count] = values[count].get();
        }
        if (rest.empty())
            return object(PyObject_Vectorcall(callable, borrowed, count, nullptr));
        const auto list = checked(PyList_New(0));
        for (std::size_t i = 0; i < count; ++i)
            if (PyList_Append(list.get(), borrowed[i]) != 0)
                return {};
        while (!rest.empty())
            if (PyList_Append(list.get(), take_plain(rest).get()) != 0)
                return {};
        const auto positional = checked(PyList_AsTuple(list.get()));
        return object(PyObject_Call(callable, positional.get(), nullptr));
    } catch (const std::exception& problem) {
        return failed(problem);
    }
}

} // namespace xcores::cpython
