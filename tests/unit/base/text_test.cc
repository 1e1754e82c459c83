#include "engine/base/text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pawl {
namespace {

using ::testing::ElementsAre;

TEST(Sizes, AreNumbersWithOrWithoutAUnit) {
  for (const auto& [text, bytes] : {std::pair<const char*, int64_t>{"0", 0},
                                    {"4096", 4096},
                                    {"64KiB", 65536},
                                    {"1.5 MiB", 3 << 19},
                                    {"2GB", 2'000'000'000},
                                    {"7B", 7}}) {
    EXPECT_EQ(parse_bytes(text).value(), bytes) << text;
  }
  for (const char* text : {"", "KiB", "-1", "1e3", "1.2.3", "64 kib", "1 MiB more", "9000000000000TB", "."})
    EXPECT_FALSE(parse_bytes(text).ok()) << text;
}

TEST(Text, SplitKeepsEmptyPieces) {
  EXPECT_THAT(split("a,,b,", ','), ElementsAre("a", "", "b", ""));
  EXPECT_THAT(split("", ','), ElementsAre(""));
}

TEST(Text, TrimJoinReplace) {
  EXPECT_EQ(trim(" \t a b\r\n"), "a b");
  EXPECT_EQ(trim(" \n"), "");
  EXPECT_EQ(join({"a", "b"}, ", "), "a, b");
  EXPECT_EQ(replace_all("aaa", "a", "aa"), "aaaaaa");
  EXPECT_EQ(replace_all("abcab", "ab", ""), "c");
  EXPECT_TRUE(iequals("Content-TYPE", "content-type"));
  EXPECT_FALSE(iequals("a", "ab"));
}

TEST(Text, DurationsNeedAUnit) {
  auto ms = [](std::string_view text) { return parse_duration_ms(text).value_or(-1); };
  EXPECT_EQ(ms("90s"), 90'000);
  EXPECT_EQ(ms("10m"), 600'000);
  EXPECT_EQ(ms("1h30m"), 5'400'000);
  EXPECT_EQ(ms("500ms"), 500);
  EXPECT_EQ(ms("2d"), 172'800'000);
  EXPECT_EQ(ms("1.5s"), 1500);
  EXPECT_EQ(ms("0s"), 0);
  for (const char* bad : {"", "90", "s", "-1s", "1 s", "1h30", "10min", "1e3s", "nans", "infs", "1s ", "400d",
                          "0x1s", "99999999999999999999d"}) {
    EXPECT_FALSE(parse_duration_ms(bad).ok()) << bad;
  }
}

TEST(Text, DurationsAndSizesForPeople) {
  EXPECT_EQ(format_duration(87), "87ms");
  EXPECT_EQ(format_duration(12'400), "12.4s");
  EXPECT_EQ(format_duration(187'000), "3m07s");
  EXPECT_EQ(format_duration(3'720'000), "1h02m");
  EXPECT_EQ(format_bytes(1023), "1023 B");
  EXPECT_EQ(format_bytes(1536ull << 20), "1.5 GiB");
}

TEST(Text, NumbersAreTheWholeText) {
  EXPECT_EQ(*parse_int("-12"), -12);
  EXPECT_EQ(*parse_int("9223372036854775807"), INT64_MAX);
  for (const char* bad : {"", " 1", "1 ", "+1", "1.0", "0x1", "9223372036854775808"})
    EXPECT_FALSE(parse_int(bad).ok()) << bad;
  EXPECT_EQ(*parse_double("-1.5e3"), -1500.0);
  for (const char* bad : {"", "1,5", "nan", "inf", "1e999", "1.0x", " 1"})
    EXPECT_FALSE(parse_double(bad).ok()) << bad;
}

TEST(Text, EditDistanceCountsASwapAsOne) {
  EXPECT_EQ(edit_distance("ranks", "ranks", 3), 0u);
  EXPECT_EQ(edit_distance("ranks", "rnaks", 3), 1u);
  EXPECT_EQ(edit_distance("ranks", "rank", 3), 1u);
  EXPECT_EQ(edit_distance("kitten", "sitting", 3), 3u);
  EXPECT_EQ(edit_distance("kitten", "sitting", 2), 3u);  // over the limit
  EXPECT_EQ(edit_distance("", "abcdef", 2), 3u);
}

TEST(Text, SuggestionsAreNearOrNone) {
  const std::vector<std::string> keys = {"ranks", "retries", "run", "needs"};
  EXPECT_EQ(did_you_mean("rank", keys), "ranks");
  EXPECT_EQ(did_you_mean("Retrys", keys), "retries");
  EXPECT_EQ(did_you_mean("rnu", keys), "run");
  EXPECT_EQ(did_you_mean("timeout", keys), "");
  EXPECT_EQ(did_you_mean("", keys), "");
  EXPECT_EQ(did_you_mean("x", {}), "");
}

TEST(Text, NothingReachesTheTerminalButText) {
  EXPECT_EQ(sanitize_for_terminal("a\tb\nc"), "a\tb\nc");
  EXPECT_EQ(sanitize_for_terminal("\x1b[31mred\x1b[0m"), "red");
  EXPECT_EQ(sanitize_for_terminal("\x1b[2J\x1b[1;1Hgone"), "gone");
  EXPECT_EQ(sanitize_for_terminal("\x1b]0;title\atext"), "text");
  EXPECT_EQ(sanitize_for_terminal("\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\"), "link");
  EXPECT_EQ(sanitize_for_terminal("\x1bPq#0;1\x1b\\x"), "x");
  EXPECT_EQ(sanitize_for_terminal("\x1b]0;never ended"), "");
  EXPECT_EQ(sanitize_for_terminal("a\rb\bc\x7f"), "abc");
  EXPECT_EQ(sanitize_for_terminal("\xc2\x9b"
                                  "31mx"),
            "31mx");  // CSI as one C1 character
  EXPECT_EQ(sanitize_for_terminal(std::string_view("a\0b", 3)), "ab");
  EXPECT_EQ(sanitize_for_terminal("\x1b"), "");
}

TEST(Text, ColoursStayWhenAsked) {
  EXPECT_EQ(sanitize_for_terminal("\x1b[1;31mred\x1b[0m\x1b[2J", true), "\x1b[1;31mred\x1b[0m");
}

TEST(Text, InvalidUtf8IsReplaced) {
  const std::string replaced = "\xEF\xBF\xBD";
  EXPECT_EQ(sanitize_for_terminal("\xff"), replaced);
  EXPECT_EQ(to_valid_utf8("a\xc3"), "a" + replaced);
  EXPECT_EQ(to_valid_utf8("\xc0\xaf"), replaced + replaced);                 // overlong
  EXPECT_EQ(to_valid_utf8("\xed\xa0\x80"), replaced + replaced + replaced);  // a surrogate
  EXPECT_EQ(to_valid_utf8("\xf4\x90\x80\x80").substr(0, 3), replaced);       // beyond U+10FFFF
  EXPECT_EQ(to_valid_utf8("h\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"), "h\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
}

TEST(Text, CutsAreAtCharacters) {
  EXPECT_EQ(to_valid_utf8("h\xc3\xa9llo", 2), "h");
  EXPECT_EQ(to_valid_utf8("h\xc3\xa9llo", 3), "h\xc3\xa9");
  EXPECT_EQ(to_valid_utf8("\xff\xff", 4), "\xEF\xBF\xBD");
}

TEST(Text, QuotedForAShell) {
  EXPECT_EQ(shell_quote("it's $HOME"), "'it'\\''s $HOME'");
  EXPECT_EQ(shell_quote(""), "''");
}

}  // namespace
}  // namespace pawl
