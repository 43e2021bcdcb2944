// SPDX-License-Identifier: BSD-3-Clause
#include <catch2/catch_test_macros.hpp>

#include <string>

#include <xcores/render/escape.hpp>

using namespace xcores::render;
using namespace std::string_literals;

TEST_CASE("what means something to HTML and XML is escaped") {
    CHECK(escaped("<a href=\"x\">'&'</a>") == "&lt;a href=&quot;x&quot;&gt;&#39;&amp;&#39;&lt;/a&gt;");
}

TEST_CASE("control characters become visible") {
    CHECK(visible("a\x1b[0m\n\t\0b\x7f"s) == "a␛[0m␊␉␀b␡");
    CHECK(visible("\xC2\x85") == "<U+0085>");
}

TEST_CASE("characters that hide or turn text become visible") {
    CHECK(visible("a\u202Eb") == "a<U+202E>b");
    CHECK(visible("a\u2066b\u200Bc\uFEFF") == "a<U+2066>b<U+200B>c<U+FEFF>");
    CHECK(escaped("\u202E") == "&lt;U+202E&gt;");
}

TEST_CASE("right-to-left letters and joined emoji stay as they are") {
    CHECK(visible("שלום 👩‍💻 é") == "שלום 👩‍💻 é");
}

TEST_CASE("broken UTF-8 is replaced byte by byte") {
    CHECK(visible("a\xFFz") == "a\uFFFDz");
    CHECK(visible("\xC0\xAF") == "\uFFFD\uFFFD");
    CHECK(visible("\xED\xA0\x80") == "\uFFFD\uFFFD\uFFFD");
    CHECK(visible("\xE2\x82") == "\uFFFD\uFFFD");
    CHECK(visible("\xF4\x90\x80\x80") == "\uFFFD\uFFFD\uFFFD\uFFFD");
    CHECK(visible("\xEF\xBF\xBE") == "\uFFFD");
}

TEST_CASE("a long text is cut at a character and says so") {
    CHECK(clipped("abcdef", 6) == "abcdef");
    CHECK(clipped("abcdefg", 6) == "abcde…");
    CHECK(clipped("ééééé", 3) == "éé…");
    CHECK(clipped(std::string(1'000'000, 'x'), 4) == "xxx…");
}

TEST_CASE("width counts terminal columns") {
    CHECK(width_of("abc") == 3);
    CHECK(width_of("日本") == 4);
    CHECK(width_of("🐍") == 2);
    CHECK(width_of("e\u0301") == 1);
}
