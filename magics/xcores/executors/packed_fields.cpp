// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/executors/packed_fields.hpp>

#include <stdexcept>
#include <string>

namespace xcores::executors::wire {
namespace {

using nlohmann::json;

/// Follows the parser and stops it at a level that is too deep.
class depth_check final : public json::json_sax_t {
public:
    bool is_too_deep() const noexcept { return depth_ > deepest; }

    bool null() override { return true; }
    bool boolean(bool) override { return true; }
    bool number_integer(json::number_integer_t) override { return true; }
    bool number_unsigned(json::number_unsigned_t) override { return true; }
    bool number_float(json::number_float_t, const std::string&) override { return true; }
    bool string(std::string&) override { return true; }
    bool binary(json::binary_t&) override { return true; }
    bool key(std::string&) override { return true; }
    bool start_object(std::size_t) override { return enter(); }
    bool start_array(std::size_t) override { return enter(); }
    bool end_object() override { return leave(); }
    bool end_array() override { return leave(); }
    bool parse_error(std::size_t, const std::string&, const json::exception&) override { return false; }

private:
    static constexpr int deepest = 16; // what is sent has three levels

    bool enter() {
        ++depth_;
        return !is_too_deep();
    }
    bool leave() {
        --depth_;
        return true;
    }

    int depth_ = 0;
};

} // namespace

json unpacked(std::span<const std::uint8_t> bytes) {
    depth_check check;
    const auto* end = bytes.data() + bytes.size();
    json::sax_parse(bytes.data(), end, &check, json::input_format_t::msgpack);
    if (check.is_too_deep())
        throw std::runtime_error("a worker process sent fields that are nested too deeply");
    return json::from_msgpack(bytes.data(), end); // which says what else is wrong
}

} // namespace xcores::executors::wire
