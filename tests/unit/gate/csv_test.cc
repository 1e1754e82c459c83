#include "engine/gate/csv.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pawl::gate {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

using Rows = std::vector<std::vector<std::string>>;

struct Outcome {
  Rows rows;
  std::vector<std::uint64_t> lines;
  std::string problem;
};

Outcome read(std::string_view text, std::size_t chunk = std::string::npos) {
  Outcome out;
  CsvReader reader("f.csv", [&](std::span<const std::string> fields, std::uint64_t line) {
    out.rows.emplace_back(fields.begin(), fields.end());
    out.lines.push_back(line);
    return Result<void>();
  });
  Result<void> result;
  while (result && !text.empty()) {
    result = reader.feed(text.substr(0, chunk));
    text.remove_prefix(std::min(chunk, text.size()));
  }
  if (result) result = reader.finish();
  if (!result) out.problem = result.error().to_string();
  return out;
}

TEST(Csv, RowsAndFields) {
  const Outcome out = read("a,b,c\n1,,3\r\n,\nlast,row");
  EXPECT_EQ(out.problem, "");
  EXPECT_EQ(out.rows, (Rows{{"a", "b", "c"}, {"1", "", "3"}, {"", ""}, {"last", "row"}}));
  EXPECT_THAT(out.lines, ElementsAre(1, 2, 3, 4));
}

TEST(Csv, QuotedFields) {
  const Outcome out = read("\"a,b\",\"say \"\"hi\"\"\",\"two\r\nlines\"\n\"\",x\n");
  EXPECT_EQ(out.problem, "");
  EXPECT_EQ(out.rows, (Rows{{"a,b", "say \"hi\"", "two\r\nlines"}, {"", "x"}}));
  EXPECT_THAT(out.lines, ElementsAre(1, 3));
}

TEST(Csv, BlankLinesAreSkipped) {
  EXPECT_EQ(read("\n\r\na\n\n\r\nb\n\n").rows, (Rows{{"a"}, {"b"}}));
  EXPECT_THAT(read("").rows, ElementsAre());
}

TEST(Csv, TheLastFieldOfAFileMayBeEmpty) {
  EXPECT_EQ(read("a,b\n1,").rows, (Rows{{"a", "b"}, {"1", ""}}));
}

TEST(Csv, ChunksMakeNoDifference) {
  const std::string text = "id,\"la\"\"bel\"\r\n1,\"x\ny\"\r\n\r\n2,\n3,z";
  const Outcome whole = read(text);
  for (std::size_t chunk = 1; chunk < 8; ++chunk) {
    const Outcome out = read(text, chunk);
    EXPECT_EQ(out.rows, whole.rows) << chunk;
    EXPECT_EQ(out.lines, whole.lines) << chunk;
  }
}

TEST(Csv, ErrorsSayWhere) {
  EXPECT_EQ(read("a,b\nc,d\"e\n").problem, "f.csv:2:4: a quote inside a field that does not start with one");
  EXPECT_EQ(read("a\n\"b\"c\n").problem, "f.csv:2:4: text after a closing quote");
  EXPECT_EQ(read("a\nb\n\"c\nd").problem, "f.csv:3: a quoted field is not closed");
  EXPECT_THAT(read("a\rb").problem, HasSubstr("f.csv:1:3: a carriage return without a line feed"));
  EXPECT_THAT(read("a\r").problem, HasSubstr("a carriage return without a line feed"));
}

TEST(Csv, RowsAreCapped) {
  EXPECT_THAT(read(std::string(CsvReader::kMaxRowBytes + 1, 'x')).problem, HasSubstr("a row of more than"));
  EXPECT_THAT(read("\"" + std::string(CsvReader::kMaxRowBytes + 1, '\n')).problem,
              HasSubstr("a row of more than"));
  const std::string too_long = "a," + std::string(CsvReader::kMaxRowBytes, 'x') + "\n";
  EXPECT_THAT(read(too_long).problem, HasSubstr("f.csv:1:1048578: a row of more than"));
  EXPECT_EQ(read(too_long, 1000).problem, read(too_long).problem) << "wherever the chunks end";
  EXPECT_THAT(read(std::string(CsvReader::kMaxFields, ',')).problem, HasSubstr("fields"));
  EXPECT_EQ(read(std::string(CsvReader::kMaxFields - 1, ',')).problem, "");
}

TEST(Csv, TheHandlersErrorEndsTheReading) {
  int rows = 0;
  CsvReader reader("f", [&](std::span<const std::string>, std::uint64_t) -> Result<void> {
    ++rows;
    return Error(ErrorCode::invalid, "enough");
  });
  EXPECT_FALSE(reader.feed("a\nb\nc\n"));
  EXPECT_EQ(rows, 1);
}

}  // namespace
}  // namespace pawl::gate
