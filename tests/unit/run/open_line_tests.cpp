// SPDX-License-Identifier: BSD-3-Clause
#include <initializer_list>
#include <string>

#include <catch2/catch_test_macros.hpp>

#include <xcores/run/open_line.hpp>

using xcores::run::open_line;

namespace {

/// What is visible after these pieces of text.
std::string after(std::initializer_list<std::string> pieces) {
    open_line line;
    for (const auto& one : pieces)
        line.feed(one);
    return std::string(line.visible());
}

} // namespace

TEST_CASE("a line is open until it ends") {
    CHECK(after({}).empty());
    CHECK(after({"half"}) == "half");
    CHECK(after({"half", " and half"}) == "half and half");
    CHECK(after({"half", " and half\n"}).empty());
    CHECK(after({"first\nsecond\nthi", "rd"}) == "third");
    CHECK(after({"first\n", "second\n"}).empty());
}

TEST_CASE("of a line that is overwritten from its start the latest text is visible") {
    CHECK(after({"10 %\r20 %\r30 %"}) == "30 %");
    CHECK(after({"\r10 %", "\r20 %"}) == "20 %");
    CHECK(after({"10 %\r", "20 %\r"}) == "20 %");
    CHECK(after({"10 %", "\r"}) == "10 %"); // nothing has taken its place yet
    CHECK(after({"10 %\r\n"}).empty());
    CHECK(after({"100 %\n", "\r1 %"}) == "1 %");
}

TEST_CASE("control sequences of a terminal end what is visible") {
    CHECK(after({"bar\033[A"}) == "bar");
    CHECK(after({"\033[1mbold"}).empty());
}

TEST_CASE("a line without end takes no more memory than is shown") {
    open_line line;
    for (int i = 0; i < 1000; ++i)
        line.feed(std::string(100, 'x'));
    CHECK(line.visible() == std::string(400, 'x'));
    line.feed("\rnext");
    CHECK(line.visible() == "next");
}
