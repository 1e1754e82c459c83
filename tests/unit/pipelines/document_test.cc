#include "pipelines/document.h"

#include <gtest/gtest.h>

namespace pawl::pipeline {
namespace {

struct Parsed {
  std::optional<Node> root;
  std::vector<Diagnostic> errors;

  std::string first_error() const { return errors.empty() ? "" : errors[0].message; }
};

Parsed parse(std::string_view text) {
  Parsed out;
  Source source("f.yml", text);
  out.root = parse_document(source, out.errors);
  return out;
}

TEST(Document, KeepsTextKindAndPlace) {
  Parsed p = parse("a: 1\nb:\n  - 'x'\n  - {c: }\n");
  ASSERT_TRUE(p.root);
  ASSERT_EQ(p.root->entries.size(), 2u);
  const Node& one = p.root->entries[0].value;
  EXPECT_EQ(one.text, "1");
  EXPECT_FALSE(one.quoted);
  EXPECT_EQ(one.span, (Span{1, 4}));
  const Node& list = p.root->entries[1].value;
  ASSERT_EQ(list.items.size(), 2u);
  EXPECT_TRUE(list.items[0].quoted);
  EXPECT_EQ(list.items[0].span, (Span{3, 5}));
  const Entry& empty = list.items[1].entries[0];
  EXPECT_EQ(empty.value.kind, Node::Kind::null);
  EXPECT_EQ(empty.value.span, empty.key_span);  // a value that is not there is shown at its key
}

TEST(Document, NeitherBooleansNorOctalsAreGuessed) {
  Parsed p = parse("on: yes\nn: 010\nt: 12:30\n");
  ASSERT_TRUE(p.root);
  EXPECT_EQ(p.root->entries[0].key, "on");
  EXPECT_EQ(p.root->entries[0].value.text, "yes");
  EXPECT_EQ(p.root->entries[1].value.text, "010");
  EXPECT_EQ(p.root->entries[2].value.text, "12:30");
}

TEST(Document, ByteOrderMarkAndCrLf) {
  Parsed p = parse(
      "\xEF\xBB\xBF"
      "a: 1\r\nb: |\r\n  x\r\n  y\r\n");
  ASSERT_TRUE(p.root);
  EXPECT_EQ(p.root->entries[0].key, "a");
  EXPECT_EQ(p.root->entries[0].key_span, (Span{1, 1}));
  EXPECT_EQ(p.root->entries[1].value.text, "x\ny\n");
}

TEST(Document, SourceLineHasNoLineEnd) {
  Parsed p = parse("a: 1\r\na: 2\r\n");
  ASSERT_EQ(p.errors.size(), 1u);
  EXPECT_EQ(p.errors[0].source_line, "a: 2");
}

TEST(Document, AliasesAreExpandedInPlace) {
  Parsed p = parse("a: &x {k: [1, 2]}\nb: *x\n");
  ASSERT_TRUE(p.root);
  const Node& b = p.root->entries[1].value;
  ASSERT_EQ(b.entries.size(), 1u);
  EXPECT_EQ(b.entries[0].value.items[1].text, "2");
}

TEST(Document, AliasBombIsRefusedByCount) {
  std::string text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 30; ++i) {
    std::string last = "*a" + std::to_string(i - 1);
    text += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + last;
    for (int j = 0; j < 9; ++j) text += ", " + last;
    text += "]\n";
  }
  Parsed p = parse(text);
  EXPECT_FALSE(p.root);
  EXPECT_NE(p.first_error().find("values, aliases expanded"), std::string::npos);
}

TEST(Document, AliasBombIsRefusedByBytes) {
  std::string text = "a: &a " + std::string(100'000, 'x') + "\n";
  for (int i = 0; i < 1000; ++i) text += "k" + std::to_string(i) + ": *a\n";
  Parsed p = parse(text);
  EXPECT_FALSE(p.root);
  EXPECT_NE(p.first_error().find("4.0 MiB, aliases expanded"), std::string::npos);
}

// Each anchor keeps a copy of what it names: nested anchors must count too.
TEST(Document, NestedAnchorsCountAsCopies) {
  std::string text;
  for (int i = 0; i < 50; ++i) text += "&n" + std::to_string(i) + " [";
  for (int i = 0; i < 20'000; ++i) text += "1,";
  text += "1" + std::string(50, ']');
  EXPECT_NE(parse(text).first_error().find("values, aliases expanded"), std::string::npos);
}

TEST(Document, DepthIsBoundedInEveryStyle) {
  std::string map;
  for (int i = 0; i < 70; ++i) map += std::string(static_cast<size_t>(i), ' ') + "a:\n";
  std::string braces;
  for (int i = 0; i < 10'000; ++i) braces += "{a: ";
  std::string alias = "a: &a " + std::string(40, '[') + std::string(40, ']') +
                      "\nb: " + std::string(40, '[') + "*a" + std::string(40, ']');
  for (const std::string& text : {std::string(10'000, '['), map, braces, alias, std::string(1 << 20, '[')})
    EXPECT_EQ(parse(text).first_error(), "nested deeper than 64") << text.substr(0, 40);
  EXPECT_TRUE(parse(std::string(63, '[') + std::string(63, ']')).root);
}

TEST(Document, DuplicateKeysAreReportedAndTheRestIsRead) {
  Parsed p = parse("a: 1\nb: {c: 1, c: 2}\na: 3\nd: 4\n");
  ASSERT_TRUE(p.root);
  ASSERT_EQ(p.errors.size(), 2u);
  EXPECT_EQ(p.errors[0].message, "duplicate key 'c'");
  EXPECT_EQ(p.errors[1].line, 3);
  EXPECT_EQ(p.errors[1].hint, "first written in line 1");
  ASSERT_EQ(p.root->entries.size(), 3u);
  EXPECT_EQ(p.root->entries[0].value.text, "1");
}

TEST(Document, ManyDuplicatesEndTheReading) {
  std::string text = "a: 1\n";
  for (int i = 0; i < 50'000; ++i) text += "a: 1\n";
  Parsed p = parse(text);
  EXPECT_FALSE(p.root);
  EXPECT_LE(p.errors.size(), 30u);
}

TEST(Document, TagsAreRefusedAlsoTheInnocentOnes) {
  for (const char* text :
       {"a: !x 1", "a: !!str 1", "a: !<x> 1", "a: ! 1", "a: !!python/object:os.system [ls]", "a: !x {b: 1}",
        "!x a: 1", "%TAG ! tag:x,2000:\n---\na: !y 1"})
    EXPECT_NE(parse(text).first_error(), "") << text;
  EXPECT_TRUE(parse("a: 'x!'\nb: \"!x\"\nc: x!y").root);
}

TEST(Document, BytesThatAreNoText) {
  EXPECT_EQ(parse(std::string_view("a: b\0c", 6)).first_error(), "control character 0x00");
  EXPECT_EQ(parse("a: \x1b[31m").first_error(), "control character 0x1b");
  EXPECT_EQ(parse("a: b\rc: d").first_error(), "control character 0x0d");
  Parsed p = parse("a: 1\nb: caf\xe9\n");
  EXPECT_EQ(p.first_error(), "not valid UTF-8");
  EXPECT_EQ(p.errors[0].line, 2);
  EXPECT_EQ(p.errors[0].column, 7);
  EXPECT_NE(parse("\xff\xfe"
                  "a\0:\0")
                .first_error(),
            "");  // UTF-16
  EXPECT_EQ(parse("a: \"x\\0y\"").first_error(), "a text must not hold a NUL character");
}

TEST(Document, AnOpenQuoteIsFoundWhereItBegins) {
  for (const char* text : {"a: \"b", "a: 'b", "a: 'it''s", "a: \"b\\\"", "a: 1\nb: &x 'c\nd: 2\n", "- [\"b]",
                           "a: \"b\nc: 1\n"}) {
    Parsed p = parse(text);
    EXPECT_EQ(p.first_error(), "a quote that is never closed") << text;
    EXPECT_FALSE(p.root) << text;
  }
  for (const char* text :
       {"a: \"b\"", "a: 'it''s'", "a: \"b\\\"\"", "a: ''", "a: 'x' # don't", "a: |\n  \"x\n"})
    EXPECT_TRUE(parse(text).root) << text;
}

TEST(Document, ShapeErrors) {
  EXPECT_EQ(parse("").first_error(), "the file is empty");
  EXPECT_EQ(parse("# nothing\n").first_error(), "the file is empty");
  EXPECT_EQ(parse("a: 1\n---\nb: 1\n").first_error(), "a second YAML document");
  EXPECT_EQ(parse("a: 1\n...\n---\n").first_error(), "a second YAML document");
  EXPECT_EQ(parse("? [a]\n: b\n").first_error(), "a key must be a word");
  EXPECT_EQ(parse("? {a: 1}\n: b\n").first_error(), "a key must be a word");
  EXPECT_EQ(parse("a: &a [*a]").first_error(), "an alias inside the value it stands for");
  EXPECT_EQ(parse("a:\n\tb: 1").first_error(), "a tab cannot indent YAML");
}

TEST(Document, TheSizeIsCheckedBeforeAnythingElse) {
  std::string text(kMaxTextBytes + 1, 'a');
  Parsed p = parse(text);
  EXPECT_EQ(p.first_error(), "larger than 1.0 MiB");
  EXPECT_LT(p.errors[0].source_line.size(), 10u);
}

// Errors quote the line; a line of a megabyte in fifty errors must stay affordable, and the place right.
TEST(Document, LongLinesAreQuotedWhole) {
  Parsed p = parse("{" + std::string(500'000, ' ') + "a: 1, a: 2}");
  ASSERT_EQ(p.errors.size(), 1u);
  EXPECT_EQ(p.errors[0].column, 500'008);
}

}  // namespace
}  // namespace pawl::pipeline
