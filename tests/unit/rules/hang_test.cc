#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/rules/make_input.h"

namespace pawl::rules {
namespace {

using ::testing::HasSubstr;

// `ranks` ranks complete a step every `step_ms`; their clock and that of the ticks are the same.
class Training {
 public:
  Training(Evaluator& evaluator, uint32_t ranks, int64_t step_ms) : evaluator_(evaluator), step_ms_(step_ms) {
    for (uint32_t rank = 0; rank < ranks; ++rank) {
      progress_.push_back({});
      progress_.back().rank = rank;
      progress_.back().last_activity_ms = now_ms;
    }
  }
  void steps(int count) {
    for (int i = 0; i < count; ++i) {
      now_ms += step_ms_;
      Input input;
      input.step = progress_[0].completed;
      for (trace::RankProgress& rank : progress_) {
        input.ranks.push_back({rank.rank, static_cast<double>(now_ms) / 1000, std::nullopt, false, false});
        rank.last_step = rank.completed++;
        rank.last_activity_ms = now_ms;
      }
      EXPECT_TRUE(evaluator_.on_input(input).empty());
    }
  }
  std::vector<Finding> silence(double seconds) {
    now_ms += static_cast<int64_t>(seconds * 1000);
    return evaluator_.on_tick(now_ms, progress_, last_output_ms);
  }
  trace::RankProgress& rank(size_t i) { return progress_[i]; }

  int64_t now_ms = 1'000'000;
  std::optional<int64_t> last_output_ms;

 private:
  Evaluator& evaluator_;
  int64_t step_ms_;
  std::vector<trace::RankProgress> progress_;
};

TEST(Hang, SixtySecondsOfSilenceAreAHangAndNoLess) {
  Evaluator evaluator = evaluator_of("hang");
  Training training(evaluator, 2, 100);
  training.steps(50);
  EXPECT_TRUE(training.silence(59.9).empty());
  auto findings = training.silence(0.2);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].action, Action::stop);
  EXPECT_THAT(findings[0].message, HasSubstr("each of the ranks 0, 1 has completed nothing after step 49"));
  EXPECT_EQ(findings[0].limit, 60);
}

TEST(Hang, NamesTheRankThatIsBehind) {
  Evaluator evaluator = evaluator_of("hang");
  Training training(evaluator, 3, 100);
  training.steps(50);
  for (size_t ahead : {0u, 2u}) {
    training.rank(ahead).completed++;
    training.rank(ahead).last_step = 50;
  }
  auto findings = training.silence(61);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].rank, 1u);
  EXPECT_THAT(findings[0].message, HasSubstr("rank 1 has completed nothing after step 49 for 61 s"));
  EXPECT_THAT(findings[0].message, HasSubstr("the other ranks are ahead"));
}

TEST(Hang, SlowStepsHaveMoreTime) {
  Evaluator evaluator = evaluator_of("hang");
  Training training(evaluator, 1, 30000);
  training.steps(20);
  EXPECT_TRUE(training.silence(149).empty());
  EXPECT_FALSE(training.silence(20).empty());
}

TEST(Hang, APauseItHasComeBackFromIsNoHangNextTime) {
  Evaluator evaluator = evaluator_of("hang");
  Training training(evaluator, 1, 100);
  training.steps(1000);
  EXPECT_TRUE(training.silence(50).empty());  // evaluation between epochs
  training.steps(1000);
  EXPECT_TRUE(training.silence(95).empty());
  EXPECT_FALSE(training.silence(10).empty());
}

TEST(Hang, StartingMayTakeTwentyMinutes) {
  Evaluator evaluator = evaluator_of("hang");
  Training training(evaluator, 2, 1000);
  EXPECT_TRUE(training.silence(1199).empty());
  auto findings = training.silence(2);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_THAT(findings[0].message, HasSubstr("has completed no step"));
}

TEST(Hang, WarmUpStepsStillHaveTheLongLimit) {
  Evaluator evaluator = evaluator_of("hang");
  Training training(evaluator, 1, 1000);
  training.steps(4);
  EXPECT_TRUE(training.silence(300).empty());  // compilation, for example
}

TEST(Hang, ARankThatHasEndedIsSilentByRight) {
  Evaluator evaluator = evaluator_of("hang");
  Training training(evaluator, 2, 100);
  training.steps(50);
  training.rank(0).ended = true;
  EXPECT_FALSE(training.silence(100).empty());  // the other one has not
  Evaluator both = evaluator_of("hang");
  Training ended(both, 1, 100);
  ended.steps(50);
  ended.rank(0).ended = true;
  EXPECT_TRUE(ended.silence(1e6).empty());
}

TEST(Hang, AfterTheLastStepThereIsTimeForTheRest) {
  Evaluator evaluator = Evaluator::create({rule_config("hang")}, {.total_steps = 50}).value();
  Training training(evaluator, 1, 100);
  training.steps(50);
  EXPECT_TRUE(training.silence(1e6).empty());
}

TEST(Hang, WhoPrintsHasTwentyMinutes) {
  Evaluator evaluator = evaluator_of("hang");
  Training training(evaluator, 2, 100);
  training.steps(50);
  for (int i = 0; i < 39; ++i) {
    EXPECT_TRUE(training.silence(30).empty());  // an evaluation that says how far it is
    training.last_output_ms = training.now_ms;
  }
  EXPECT_TRUE(training.silence(30).empty());
  EXPECT_EQ(training.silence(1).size(), 1u);
}

TEST(Hang, WhoPrintedALongTimeAgoIsSilent) {
  Evaluator evaluator = evaluator_of("hang");
  Training training(evaluator, 2, 100);
  training.steps(50);
  training.last_output_ms = training.now_ms + 10'000;
  EXPECT_TRUE(training.silence(69).empty());
  EXPECT_EQ(training.silence(2).size(), 1u);
}

TEST(Hang, OneSilenceCountsOnce) {
  Evaluator evaluator = evaluator_of("hang");
  Training training(evaluator, 1, 100);
  training.steps(50);
  EXPECT_EQ(training.silence(100).size(), 1u);
  EXPECT_TRUE(training.silence(1).empty());
  EXPECT_EQ(evaluator.findings()[0].count, 1u);
  training.steps(1);
  training.silence(1000);
  EXPECT_EQ(evaluator.findings()[0].count, 2u);
}

TEST(Hang, WithoutATraceItIsNotEvaluated) {
  Evaluator evaluator = evaluator_of("hang");
  EXPECT_TRUE(evaluator.on_tick(1'000'000'000, {}, {}).empty());
  EXPECT_EQ(outcome_of(evaluator.finish(true), "hang").outcome, Outcome::not_evaluated);
}

}  // namespace
}  // namespace pawl::rules
