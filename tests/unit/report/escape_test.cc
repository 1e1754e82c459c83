#include "engine/report/escape.h"

#include <gtest/gtest.h>

namespace pawl::report {
namespace {

TEST(Escape, Clean) {
  EXPECT_EQ(clean("tab\there\nand é 😀"), "tab\there\nand é 😀");
  EXPECT_EQ(clean(std::string("a\0b\x07\x7f", 5)), "ab");
  EXPECT_EQ(clean("\x1b[31mred\x1b[0m \x1b]0;title\x07ok"), "red ok");
  EXPECT_EQ(clean("a\xff\xc3("), "a\xef\xbf\xbd\xef\xbf\xbd(");
  EXPECT_EQ(clean("a\xe2\x80\xae"
                  "b\xe2\x81\xa9"),
            "a\xef\xbf\xbd"
            "b\xef\xbf\xbd")
      << "right-to-left override";
  EXPECT_EQ(clean("\xef\xbf\xbf"), "\xef\xbf\xbd") << "U+FFFF is not allowed in XML";
  EXPECT_EQ(clean("\xc2\x85x"), "x") << "C1";
}

TEST(Escape, CleanLine) {
  EXPECT_EQ(clean_line("one\ntwo\tthree"), "one two three");
  EXPECT_EQ(clean_line("abcdef", 3), "abc…");
  EXPECT_EQ(clean_line("aé", 2), "a…") << "never half a character";
  EXPECT_EQ(clean_line(std::string(1'000'000, 'x'), 10), "xxxxxxxxxx…");
  EXPECT_EQ(clean_line("abc", 3), "abc");
}

TEST(Escape, Markup) {
  EXPECT_EQ(escape_markup("<a href=\"x\">'&amp;'</a>"),
            "&lt;a href=&quot;x&quot;&gt;&#39;&amp;amp;&#39;&lt;/a&gt;");
  EXPECT_EQ(escape_markup("]]>"), "]]&gt;");
}

TEST(Escape, Markdown) {
  EXPECT_EQ(escape_markdown("fc1.weight is -6.2 points (90 % CI)"), "fc1.weight is -6.2 points (90 % CI)");
  EXPECT_EQ(escape_markdown("a_b *c* `d` | [x](y) $m$ ~s~ \\"),
            "a\\_b \\*c\\* \\`d\\` \\| \\[x\\](y) \\$m\\$ \\~s\\~ \\\\");
  EXPECT_EQ(escape_markdown("<img src=x> &amp;"), "&lt;img src=x&gt; &amp;amp;");
  const std::string zero_width = "\xe2\x80\x8b";
  EXPECT_EQ(escape_markdown("@ada #12"), "@" + zero_width + "ada #" + zero_width + "12");
  EXPECT_EQ(escape_markdown("https://x www.x"), "https:" + zero_width + "//x www" + zero_width + ".x");
  EXPECT_EQ(escape_markdown("line\n# title"), "line #" + zero_width + " title");
}

TEST(Escape, MarkdownCode) {
  EXPECT_EQ(markdown_code("fc1.weight", true), "`fc1.weight`");
  EXPECT_EQ(markdown_code("a`b``c", true), "```a`b``c```");
  EXPECT_EQ(markdown_code("`a", true), "`` `a ``");
  EXPECT_EQ(markdown_code("a|b", true), "`a\\|b`");
  EXPECT_EQ(markdown_code("a|b", false), "`a|b`");
  EXPECT_EQ(markdown_code("a\nb", true), "`a b`");
  EXPECT_EQ(markdown_code(" ", true), "");
}

TEST(Escape, MarkdownBlock) {
  EXPECT_EQ(markdown_block("log"), "```text\nlog\n```\n");
  EXPECT_EQ(markdown_block("```\n# out\n````\n"), "`````text\n```\n# out\n````\n`````\n");
}

TEST(Escape, LogText) {
  EXPECT_EQ(log_text("0%\r50%\r100%\ndone\r\nend", 1000), "100%\ndone\nend\n");
  EXPECT_EQ(log_text("", 1000), "");
  EXPECT_EQ(log_text("a\n", 1000), "a\n");
  EXPECT_EQ(log_text("first line\nsecond\nthird\n", 12), "third\n") << "whole lines of the end";
  EXPECT_EQ(log_text(std::string(100, 'x'), 10), std::string(10, 'x') + "\n") << "one endless line";
}

}  // namespace
}  // namespace pawl::report
