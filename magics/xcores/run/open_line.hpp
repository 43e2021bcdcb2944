// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

namespace xcores::run {

/// What stands in the line that a worker has begun and not ended, as a terminal would show it: progress bars overwrite
/// theirs from its start. Thread: one at a time.
class open_line {
public:
    void feed(std::string_view text) {
        if (const auto end = text.rfind('\n'); end != std::string_view::npos) {
            text_.clear();
            text.remove_prefix(end + 1);
        }
        text_ += text;
        const auto last = text_.find_last_not_of('\r');
        const auto start = last == std::string::npos ? std::string::npos : text_.rfind('\r', last);
        if (start != std::string::npos)
            text_.erase(0, start + 1);
        text_.resize(std::min(text_.size(), most_));
    }
    std::string_view visible() const noexcept {
        const auto text = std::string_view(text_);
        return text.substr(0, text.find_first_of("\r\033"));
    }

private:
    static constexpr std::size_t most_ = 400;
    std::string text_;
};

} // namespace xcores::run
