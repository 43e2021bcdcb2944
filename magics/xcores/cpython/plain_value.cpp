// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/cpython/plain_value.hpp>

#include <cstdint>
#include <cstring>

namespace xcores::cpython {
namespace {

enum class form : char {
    none,
    no,
    yes,
    integer,
    real,
    text,
    bytes,
    integers,
    reals,
    tuple_of_integers,
    tuple_of_reals
};

template <typename T>
void append_raw(std::string& to, const T& value) {
    to.append(reinterpret_cast<const char*>(&value), sizeof value);
}

template <typename T>
T take_raw(std::string_view& from) {
    T value{};
    std::memcpy(&value, take_bytes(from, sizeof value).data(), sizeof value);
    return value;
}

void append_form(std::string& to, form one) {
    to.push_back(static_cast<char>(one));
}

bool append_sized(std::string& to, form one, const char* data, Py_ssize_t size) {
    append_form(to, one);
    append_number(to, static_cast<std::uint64_t>(size));
    to.append(data, static_cast<std::size_t>(size));
    return true;
}

bool append_integer(std::string& to, PyObject* value) {
    int overflow = 0;
    const std::int64_t number = PyLong_AsLongLongAndOverflow(value, &overflow);
    if (overflow != 0)
        return false;
    append_form(to, form::integer);
    append_raw(to, number);
    return true;
}

bool write_integer(char* to, PyObject* item) {
    if (!PyLong_CheckExact(item))
        return false;
    std::int64_t number = 0;
    if (const auto* exact = reinterpret_cast<PyLongObject*>(item); PyUnstable_Long_IsCompact(exact)) {
        number = PyUnstable_Long_CompactValue(exact);
    } else {
        int overflow = 0;
        number = PyLong_AsLongLongAndOverflow(item, &overflow);
        if (overflow != 0)
            return false;
    }
    std::memcpy(to, &number, sizeof number);
    return true;
}

bool write_real(char* to, PyObject* item) {
    if (!PyFloat_CheckExact(item))
        return false;
    const double number = PyFloat_AS_DOUBLE(item);
    std::memcpy(to, &number, sizeof number);
    return true;
}

/// All of one type, in one block.
bool append_sequence(std::string& to, PyObject* const* items, Py_ssize_t size, bool tuple) {
    const bool integers = size == 0 || PyLong_CheckExact(items[0]);
    if (!integers && !PyFloat_CheckExact(items[0]))
        return false;
    const auto before = to.size();
    append_form(to, integers ? (tuple ? form::tuple_of_integers : form::integers)
                             : (tuple ? form::tuple_of_reals : form::reals));
    append_number(to, static_cast<std::uint64_t>(size));
    const auto start = to.size();
    to.resize(start + static_cast<std::size_t>(size) * sizeof(std::int64_t));
    auto* next = to.data() + start;
    for (Py_ssize_t i = 0; i < size; ++i, next += sizeof(std::int64_t))
        if (!(integers ? write_integer(next, items[i]) : write_real(next, items[i]))) {
            to.resize(before);
            return false;
        }
    return true;
}

object take_sequence(std::string_view& from, bool integers, bool tuple) {
    const auto count = take_number(from);
    const auto size = static_cast<Py_ssize_t>(count);
    const auto* next = take_bytes(from, count * sizeof(std::int64_t)).data();
    auto made = checked(tuple ? PyTuple_New(size) : PyList_New(size));
    for (Py_ssize_t i = 0; i < size; ++i, next += sizeof(std::int64_t)) {
        std::int64_t number = 0;
        double real = 0;
        std::memcpy(&number, next, sizeof number);
        std::memcpy(&real, next, sizeof real);
        auto item = checked(integers ? PyLong_FromLongLong(number) : PyFloat_FromDouble(real));
        if (tuple)
            PyTuple_SET_ITEM(made.get(), i, item.release());
        else
            PyList_SET_ITEM(made.get(), i, item.release());
    }
    return made;
}

} // namespace

void append_number(std::string& to, std::uint64_t number) {
    append_raw(to, number);
}

std::uint64_t take_number(std::string_view& from) {
    return take_raw<std::uint64_t>(from);
}

std::string_view take_bytes(std::string_view& from, std::size_t size) {
    if (from.size() < size)
        throw error("a value ends too early");
    const auto taken = from.substr(0, size);
    from.remove_prefix(size);
    return taken;
}

bool append_plain(std::string& to, PyObject* value) {
    if (value == Py_None || value == Py_False || value == Py_True) {
        append_form(to, value == Py_None ? form::none : value == Py_True ? form::yes : form::no);
        return true;
    }
    if (PyLong_CheckExact(value))
        return append_integer(to, value);
    if (PyFloat_CheckExact(value)) {
        append_form(to, form::real);
        append_raw(to, PyFloat_AS_DOUBLE(value));
        return true;
    }
    if (PyUnicode_CheckExact(value)) {
        Py_ssize_t size = 0;
        const char* data = PyUnicode_AsUTF8AndSize(value, &size);
        if (!data) {
            PyErr_Clear(); // a lone surrogate: pickle knows what to do
            return false;
        }
        return append_sized(to, form::text, data, size);
    }
    constexpr Py_ssize_t most_copied = 1 << 16; // larger ones travel beside the pickle without a copy
    if (PyBytes_CheckExact(value) && PyBytes_GET_SIZE(value) < most_copied)
        return append_sized(to, form::bytes, PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value));
    if (PyList_CheckExact(value))
        return append_sequence(to, reinterpret_cast<PyListObject*>(value)->ob_item, PyList_GET_SIZE(value), false);
    if (PyTuple_CheckExact(value))
        return append_sequence(to, reinterpret_cast<PyTupleObject*>(value)->ob_item, PyTuple_GET_SIZE(value), true);
    return false;
}

object take_plain(std::string_view& from) {
    const auto one = static_cast<form>(take_bytes(from, 1).front());
    switch (one) {
    case form::none:
        return object(Py_NewRef(Py_None));
    case form::no:
        return object(Py_NewRef(Py_False));
    case form::yes:
        return object(Py_NewRef(Py_True));
    case form::integer:
        return checked(PyLong_FromLongLong(take_raw<std::int64_t>(from)));
    case form::real:
        return checked(PyFloat_FromDouble(take_raw<double>(from)));
    case form::text: {
        const auto text = take_bytes(from, take_number(from));
        return checked(PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), nullptr));
    }
    case form::bytes: {
        const auto bytes = take_bytes(from, take_number(from));
        return checked(PyBytes_FromStringAndSize(bytes.data(), static_cast<Py_ssize_t>(bytes.size())));
    }
    case form::integers:
    case form::tuple_of_integers:
        return take_sequence(from, true, one == form::tuple_of_integers);
    case form::reals:
    case form::tuple_of_reals:
        return take_sequence(from, false, one == form::tuple_of_reals);
    }
    throw error("a value of an unknown form");
}

} // namespace xcores::cpython
