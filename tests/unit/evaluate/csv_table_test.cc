#include "stages/evaluate/csv_table.h"

#include <gmock/gmock.h>

#include "tests/unit/evaluate/fixtures.h"

namespace pawl::evaluate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Result<CsvTable> parse(const std::string& text, const CsvColumns& columns = {}) {
  return parse_csv(text, "a.csv", columns);
}

TEST(CsvTable, FeaturesAreWhatIsLeft) {
  const auto table = parse("\xef\xbb\xbfid,a,label,b,group\nx, 1.5 ,2,-2,de\ny,3,0,4e1,fr\nz,0,1,0,de\n");
  ASSERT_TRUE(table.ok()) << message_of(table);
  EXPECT_THAT(table->ids, ElementsAre("x", "y", "z"));
  EXPECT_THAT(table->labels.numbers, ElementsAre(2, 0, 1));
  EXPECT_THAT(table->groups, ElementsAre(0, 1, 0));
  EXPECT_THAT(table->features.shape, ElementsAre(3, 2));
  std::vector<float> values(6);
  copy_floats(table->features, 0, values);
  EXPECT_THAT(values, ElementsAre(1.5, -2, 3, 40, 0, 0));
}

TEST(CsvTable, LabelsAreWordsWhenOneIs) {
  const auto table = parse("churned,a\n1,1\nno,2\n", {.label = "churned", .group = "group"});
  EXPECT_THAT(table->labels.words, ElementsAre("1", "no"));
  EXPECT_TRUE(table->labels.numbers.empty());
  EXPECT_TRUE(table->ids.empty());
}

TEST(CsvTable, MistakesAreSaidWithTheirPlace) {
  EXPECT_EQ(message_of(parse("a,b\n1,2\n")),
            "a.csv:1: has no column 'label'; name the column of the labels with --labels. Columns: a, b");
  EXPECT_EQ(message_of(parse("label,a\n1,2\n1,x\n")), "a.csv:3: column 'a': 'x' is no number");
  EXPECT_THAT(message_of(parse("label,a\n1,nan\n")), HasSubstr("is no number"));
  EXPECT_EQ(message_of(parse("label,a\n1\n")), "a.csv:2: 1 fields, the header has 2");
  EXPECT_THAT(message_of(parse("label,a\n ,1\n")), HasSubstr("the label (column 'label') is empty"));
  EXPECT_THAT(message_of(parse("label,a\n")), HasSubstr("has no rows"));
  EXPECT_THAT(message_of(parse("label\n1\n")), HasSubstr("no columns but the labels"));
  EXPECT_THAT(message_of(parse("")), HasSubstr("has no rows"));
}

}  // namespace
}  // namespace pawl::evaluate
