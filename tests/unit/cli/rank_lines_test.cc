#include "engine/cli/rank_lines.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pawl::cli {
namespace {

using testing::ElementsAre;

TEST(RankPrefix, EveryLineSaysItsRank) {
  RankPrefix prefix;
  EXPECT_EQ(prefix.add(0, "a\nb\n"), "[rank 0] a\n[rank 0] b\n");
  EXPECT_EQ(prefix.add(11, "\n"), "[rank 11] \n");
}

TEST(RankPrefix, ALineGoesOnInTheNextPiece) {
  RankPrefix prefix;
  EXPECT_EQ(prefix.add(0, "half"), "[rank 0] half");
  EXPECT_EQ(prefix.add(0, " done\nnext\n"), " done\n[rank 0] next\n");
}

TEST(RankPrefix, AnotherRankBreaksALine) {
  RankPrefix prefix;
  EXPECT_EQ(prefix.add(0, "half"), "[rank 0] half");
  EXPECT_EQ(prefix.add(1, "whole\n"), "\n[rank 1] whole\n");
  EXPECT_EQ(prefix.add(0, "rest\n"), "[rank 0] rest\n");
}

TEST(RankPrefix, AProgressBarBecomesLines) {
  RankPrefix prefix;
  EXPECT_EQ(prefix.add(0, "\r"), "");
  EXPECT_EQ(prefix.add(0, "10%\r20%\r\n"), "[rank 0] 10%\n[rank 0] 20%\n");
}

TEST(RankLines, OpenLinesGoOnPerRankAndStream) {
  auto entry = [](uint16_t rank, uint8_t stream) {
    supervise::LogEntry out;
    out.rank = rank;
    out.stream = stream;
    return out;
  };
  RankLines lines;
  lines.add(entry(0, 1), "one, ");
  lines.add(entry(1, 1), "other\r\n");
  lines.add(entry(0, 2), "warning\n");
  lines.add(entry(0, 1), "two\nthree");
  std::vector<std::string> shown;
  for (const RankLine& line : lines.lines()) shown.push_back(std::to_string(line.rank) + " " + line.text);
  EXPECT_THAT(shown, ElementsAre("0 one, two", "1 other", "0 warning", "0 three"));
}

}  // namespace
}  // namespace pawl::cli
