// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include <xcores/model/report.hpp>

/// What the JSON of reports and that of comparisons have in common. For the sources of `model` only.
namespace xcores::model {

using nlohmann::json;

// One letter a span, so that a long run stays short; the order is that of the enumerations.
inline constexpr std::string_view state_letters = "?rgcb";
inline constexpr std::string_view gil_letters = "?nh";

template <class T>
json optional_json(const std::optional<T>& value) {
    return value ? json(*value) : json(nullptr);
}

inline json optional_json(const std::optional<nanoseconds>& value) {
    return value ? json(value->count()) : json(nullptr);
}

inline json optional_json(const std::optional<interval>& value) {
    return value ? json{value->start.count(), value->end.count()} : json(nullptr);
}

inline json optional_json(const std::optional<traffic>& value) {
    return value ? json{{"copied", value->copied}, {"shared", value->shared}} : json(nullptr);
}

inline std::int64_t number(std::int64_t count) {
    return count;
}

inline std::int64_t number(nanoseconds time) {
    return time.count();
}

/// A place in a JSON document that knows its own path, so that every complaint can name it.
class place {
public:
    place(const json& value, std::string path, std::string_view document = "report")
        : value_(value), path_(std::move(path)), document_(document) {}

    place at(const std::string& key) const {
        const std::string path = path_.empty() ? key : path_ + "." + key;
        if (!value_.is_object())
            fail("expected an object");
        const auto found = value_.find(key);
        if (found == value_.end())
            throw std::invalid_argument(std::string(document_) + ": " + path + ": missing");
        return {*found, path, document_};
    }

    place at(std::size_t index) const {
        return {value_.at(index), path_ + "[" + std::to_string(index) + "]", document_};
    }

    std::size_t size() const {
        if (!value_.is_array())
            fail("expected an array");
        return value_.size();
    }

    bool has(const std::string& key) const { return value_.is_object() && value_.contains(key); }

    /// For what reports of an earlier version do not have: null.
    place at_if_present(const std::string& key) const {
        static const json nothing;
        return value_.contains(key) ? at(key) : place(nothing, path_ + "." + key, document_);
    }

    bool is_null() const { return value_.is_null(); }

    template <class T>
    T integer() const {
        if (!value_.is_number_integer())
            fail("expected an integer");
        constexpr auto most = std::numeric_limits<T>::max();
        const bool too_big = value_.is_number_unsigned()
                                 ? value_.get<std::uint64_t>() > static_cast<std::uint64_t>(most)
                                 : value_.get<std::int64_t>() < std::numeric_limits<T>::min();
        if (too_big || value_.get<std::int64_t>() > most)
            fail("out of range");
        return value_.get<T>();
    }

    const std::string& text() const {
        if (!value_.is_string())
            fail("expected a string");
        return value_.get_ref<const std::string&>();
    }

    bool flag() const {
        if (!value_.is_boolean())
            fail("expected true or false");
        return value_.get<bool>();
    }

    double number() const {
        if (!value_.is_number())
            fail("expected a number");
        return value_.get<double>();
    }

    nanoseconds time() const { return nanoseconds{integer<std::int64_t>()}; }

    [[noreturn]] void fail(const std::string& why) const {
        throw std::invalid_argument(std::string(document_) + ": " + (path_.empty() ? "document" : path_) + ": " + why);
    }

private:
    const json& value_;
    std::string path_;
    std::string_view document_; ///< what the whole is called in complaints
};

template <class T>
std::optional<T> optional_integer(const place& from) {
    return from.is_null() ? std::nullopt : std::optional<T>(from.integer<T>());
}

inline std::optional<double> optional_number(const place& from) {
    return from.is_null() ? std::nullopt : std::optional(from.number());
}

inline std::optional<nanoseconds> optional_time(const place& from) {
    return from.is_null() ? std::nullopt : std::optional<nanoseconds>(from.time());
}

inline std::optional<interval> optional_interval(const place& from) {
    if (from.is_null())
        return std::nullopt;
    if (from.size() != 2)
        from.fail("expected a start and an end");
    return interval{from.at(std::size_t{0}).time(), from.at(std::size_t{1}).time()};
}

inline std::optional<traffic> optional_traffic(const place& from) {
    if (from.is_null())
        return std::nullopt;
    return traffic{from.at("copied").integer<std::int64_t>(), from.at("shared").integer<std::int64_t>()};
}

inline std::vector<int> integers(const place& from) {
    std::vector<int> result;
    for (std::size_t i = 0; i < from.size(); ++i)
        result.push_back(from.at(i).integer<int>());
    return result;
}

/// The enumerator below `count` with this name. Relies on enumerators counting up from zero.
template <class Enum>
Enum enumerator(const place& from, int count) {
    for (int i = 0; i < count; ++i)
        if (name_of(static_cast<Enum>(i)) == from.text())
            return static_cast<Enum>(i);
    from.fail("unknown name \"" + from.text() + "\"");
}

json environment_json(const environment_record&);
environment_record environment_from(const place&);

} // namespace xcores::model
