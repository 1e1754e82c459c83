#include "engine/gate/ranking.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/unit/gate/quality_fixtures.h"

namespace pawl::gate {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();
using Codes = std::vector<std::uint32_t>;
using Kinds = std::vector<std::uint8_t>;
using Groups = std::vector<std::uint64_t>;
using Values = std::vector<double>;

RankedScores ranked(const Kinds& positive, const Values& scores) {
  auto out = RankedScores::create(positive, scores);
  EXPECT_TRUE(out.ok());
  return std::move(out).value();
}

template <class T>
void expect_invalid(const Result<T>& result, const std::string& part) {
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code(), ErrorCode::invalid);
  EXPECT_NE(result.error().to_string().find(part), std::string::npos) << result.error().to_string();
}

TEST(Ranking, AgreesWithScikitLearn) {
  for (const Json& it : quality_fixtures("ranking")) {
    const RankedScores scores = ranked(it["positive"].get<Kinds>(), it["scores"].get<Values>());
    EXPECT_NEAR(auc(scores), it["auc"].get<double>(), kFixtureTolerance);
    EXPECT_NEAR(average_precision(scores), it["average_precision"].get<double>(), kFixtureTolerance);
  }
}

TEST(Ranking, MacroAucAgreesWithScikitLearn) {
  int compared = 0;
  for (const Json& it : quality_fixtures("classification")) {
    const auto values = it["probabilities"].get<Values>();
    const auto result = macro_auc(it["labels"].get<Codes>(), {values, it["classes"].get<std::size_t>()});
    if (it.contains("macro_auc")) {
      ++compared;
      EXPECT_NEAR(result.value(), it["macro_auc"].get<double>(), kFixtureTolerance);
    } else {
      expect_invalid(result, "class 3 against the rest");
    }
  }
  EXPECT_EQ(compared, 3);
}

TEST(Ranking, NdcgAgreesWithScikitLearn) {
  for (const Json& it : quality_fixtures("ndcg")) {
    const auto result = ndcg_by_group(it["groups"].get<Groups>(), it["relevance"].get<Values>(),
                                      it["scores"].get<Values>(), it["k"].get<std::size_t>());
    ASSERT_TRUE(result.ok());
    ASSERT_EQ(result->size(), it["expected"].size());
    for (std::size_t i = 0; i < result->size(); ++i) {
      EXPECT_EQ((*result)[i].group, it["expected"][i][0].get<std::uint64_t>());
      EXPECT_NEAR((*result)[i].ndcg, it["expected"][i][1].get<double>(), kFixtureTolerance);
    }
  }
}

TEST(Auc, TenExamplesOfDeLongsToy) {
  const Kinds positive{0, 0, 0, 0, 0, 1, 1, 1, 1, 1};
  EXPECT_DOUBLE_EQ(auc(ranked(positive, {.1, .2, .3, .4, .6, .35, .5, .7, .8, .9})), .88);
  EXPECT_DOUBLE_EQ(auc(ranked(positive, {.2, .1, .5, .3, .7, .4, .3, .6, .9, .8})), .78);
}

TEST(Auc, TiesAreHalf) {
  EXPECT_DOUBLE_EQ(auc(ranked({0, 1, 0, 1}, {1, 1, 1, 1})), .5);
  EXPECT_DOUBLE_EQ(auc(ranked({0, 1, 1}, {1, 1, 2})), .75);
  EXPECT_DOUBLE_EQ(auc(ranked({1, 0}, {-1, 1})), 0);
}

TEST(AveragePrecision, ByHand) {
  EXPECT_DOUBLE_EQ(average_precision(ranked({1, 0, 1, 0}, {4, 3, 2, 1})), (1 + 2.0 / 3) / 2);
  EXPECT_DOUBLE_EQ(average_precision(ranked({1, 0, 1, 0}, {4, 2, 2, 1})), (1 + 2.0 / 3) / 2);  // a tie
  EXPECT_DOUBLE_EQ(average_precision(ranked({1, 0, 0, 0}, {0, 0, 0, 0})), .25);
}

TEST(Ranking, DoesNotDependOnTheOrderOfTheExamples) {
  const Json it = quality_fixtures("ranking")[1];
  auto positive = it["positive"].get<Kinds>();
  auto scores = it["scores"].get<Values>();
  const RankedScores forward = ranked(positive, scores);
  std::reverse(positive.begin(), positive.end());
  std::reverse(scores.begin(), scores.end());
  const RankedScores backward = ranked(positive, scores);
  EXPECT_EQ(auc(forward), auc(backward));
  EXPECT_EQ(average_precision(forward), average_precision(backward));
}

TEST(Ranking, RefusesWhatCannotBeRanked) {
  expect_invalid(RankedScores::create({}, {}), "no examples");
  expect_invalid(RankedScores::create(Kinds{0, 0}, Values{1, 2}), "no positive one");
  expect_invalid(RankedScores::create(Kinds{1, 1}, Values{1, 2}), "no negative one");
  expect_invalid(RankedScores::create(Kinds{0, 1}, Values{1, kNan}), "example 1");
  expect_invalid(RankedScores::create(Kinds{0, 1}, Values{kInfinity, 1}), "example 0");
  expect_invalid(macro_auc({}, {{}, 2}), "no examples");
  expect_invalid(macro_auc(Codes{0, 4}, {Values{1, 2, 3, 4}, 2}), "code 4");
  expect_invalid(macro_auc(Codes{0, 1}, {Values{1, 2, kNan, 4}, 2}), "nan");
}

TEST(Ndcg, ByHand) {
  const double second = 1 / std::log2(3.0);
  const double third = 0.5;
  const auto result = ndcg_by_group(Groups{7, 7, 7, 3, 3}, Values{0, 2, 1, 1, 0}, Values{3, 2, 1, 5, 4}, 10);
  ASSERT_TRUE(result.ok());
  ASSERT_EQ(result->size(), 2u);
  EXPECT_EQ((*result)[0], (GroupNdcg{3, 1}));
  EXPECT_EQ((*result)[1].group, 7u);
  EXPECT_DOUBLE_EQ((*result)[1].ndcg, (2 * second + third) / (2 + second));
}

TEST(Ndcg, TiesAcrossTheCutShareTheirGains) {
  // Three documents tie for ranks 1 to 3, two ranks count: each has a third of the gains.
  const auto result = ndcg_by_group(Groups{1, 1, 1}, Values{3, 0, 0}, Values{5, 5, 5}, 2);
  EXPECT_DOUBLE_EQ(result.value()[0].ndcg, (1 + 1 / std::log2(3.0)) / 3);
}

TEST(Ndcg, GroupsWithoutARelevantDocumentAreLeftOut) {
  const auto result = ndcg_by_group(Groups{1, 1, 2, 2}, Values{0, 0, 0, 1}, Values{1, 2, 1, 2}, 1);
  EXPECT_EQ(result.value(), (std::vector<GroupNdcg>{{2, 1}}));
}

TEST(Ndcg, RefusesWhatCannotBeRanked) {
  expect_invalid(ndcg_by_group({}, {}, {}, 1), "no examples");
  expect_invalid(ndcg_by_group(Groups{1}, Values{0}, Values{1}, 1), "no group");
  expect_invalid(ndcg_by_group(Groups{1}, Values{-1}, Values{1}, 1), "relevance is -1");
  expect_invalid(ndcg_by_group(Groups{1}, Values{1}, Values{kNan}, 1), "score is nan");
  expect_invalid(ndcg_by_group(Groups{1}, Values{kNan}, Values{1}, 1), "relevance is nan");
}

}  // namespace
}  // namespace pawl::gate
