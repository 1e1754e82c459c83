#include "engine/trace/steps.h"

#include <gmock/gmock.h>

namespace pawl::trace {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

// Feeds records as ranks would write them. Time stands still unless it is moved.
class Steps : public testing::Test {
 protected:
  void open(uint32_t rank, uint32_t world_size, uint32_t pid = 0) {
    add(rank, Header{1, rank, world_size, pid != 0 ? pid : 100 + rank, 1, 1, 1, 1, "test"});
    add(rank, SeriesDeclaration{0, Kind::loss, Dtype::f32, {}, "loss"});
  }
  void add(uint32_t rank, const Record& record) { assembler_->add(rank, record, now_ms_); }
  // Begins, records its loss (the step number) and ends.
  void step(uint32_t rank, uint64_t number, uint32_t mode = 0) {
    add(rank, StepBegin{number, mode, 1'000'000'000, 5'000'000'000});
    add(rank, ScalarValue{0, static_cast<double>(number)});
    add(rank, StepEnd{number, 2'000'000'000, 6'000'000'000});
  }
  std::vector<Step> take() { return assembler_->take(now_ms_); }
  static std::vector<uint64_t> numbers(const std::vector<Step>& steps) {
    std::vector<uint64_t> out;
    for (const Step& step : steps) out.push_back(step.step);
    return out;
  }
  std::vector<uint64_t> take_numbers() { return numbers(take()); }
  void restart_with(AssemblerOptions options) { assembler_.emplace(options); }

  std::optional<StepAssembler> assembler_{std::in_place};
  int64_t now_ms_ = 1'000'000;
};

TEST_F(Steps, CompleteWhenAllRanksEnded) {
  open(0, 2);
  open(1, 2);
  step(1, 0);
  EXPECT_THAT(take(), IsEmpty());
  step(0, 0);
  const auto steps = take();
  ASSERT_THAT(steps, SizeIs(1));
  const Step& only = steps[0];
  EXPECT_EQ(only.step, 0u);
  EXPECT_EQ(only.mode, 0);
  EXPECT_EQ(only.wall_time, 2.0);
  EXPECT_THAT(only.missing_ranks, IsEmpty());
  ASSERT_THAT(only.ranks, SizeIs(2));
  EXPECT_EQ(only.ranks[0].rank, 0u);
  EXPECT_EQ(only.ranks[0].begin_s, 5.0);
  EXPECT_EQ(only.ranks[1].end_s, 6.0);
  ASSERT_THAT(only.observations, SizeIs(2));
  EXPECT_EQ(only.observations[0].rank, 0u);  // by rank, whoever came first
  EXPECT_EQ(only.observations[1].rank, 1u);
  EXPECT_EQ(only.observations[0].series, only.observations[1].series);
  EXPECT_EQ((*only.series)[only.observations[0].series].name, "loss");
  EXPECT_THAT(take(), IsEmpty());
}

TEST_F(Steps, AnEvaluationStandsInsideATrainingStep) {
  open(0, 1);
  step(0, 0);
  add(0, StepBegin{1, 0, 1'000'000'000, 5'000'000'000});
  add(0, ScalarValue{0, 0.25});
  step(0, 0, 1);
  add(0, StepBegin{1, 0, 3'000'000'000, 7'000'000'000});  // what a writer says that knows one step at a time
  add(0, ScalarValue{0, 0.5});
  add(0, StepEnd{1, 4'000'000'000, 8'000'000'000});
  step(0, 1, 1);  // and after a step that has ended
  step(0, 2);
  const auto steps = take();
  EXPECT_THAT(numbers(steps), ElementsAre(0u, 1u, 2u, 0u, 1u));
  EXPECT_EQ(steps[1].ranks[0].begin_s, 5.0);
  EXPECT_EQ(steps[1].ranks[0].end_s, 8.0);
  EXPECT_THAT(steps[1].observations, SizeIs(2));
  EXPECT_EQ(steps[3].mode, 1);
  EXPECT_THAT(steps[3].observations, SizeIs(1));
}

TEST_F(Steps, ALostEndOfAnEvaluationEndsNoTrainingStep) {
  open(0, 1);
  step(0, 4);
  EXPECT_THAT(take_numbers(), ElementsAre(4));
  add(0, StepBegin{5, 0, 0, 0});
  add(0, ScalarValue{0, 0.5});
  add(0, StepBegin{4, 1, 0, 0});
  add(0, ScalarValue{0, 1});
  add(0, StepBegin{4, 1, 0, 0});  // the end of the first evaluation was lost
  add(0, ScalarValue{0, 2});
  const auto evaluations = take();
  ASSERT_THAT(evaluations, SizeIs(1));
  EXPECT_EQ(evaluations[0].mode, 1);
  EXPECT_THAT(evaluations[0].observations, SizeIs(1));
  add(0, StepEnd{5, 0, 0});  // and that of the second
  const auto steps = take();
  ASSERT_THAT(steps, SizeIs(2));
  EXPECT_EQ(steps[0].step, 5u);
  EXPECT_EQ(steps[0].mode, 0);
  ASSERT_THAT(steps[0].observations, SizeIs(1));
  EXPECT_EQ(*steps[0].observations[0].scalar(), 0.5);
  EXPECT_EQ(steps[1].mode, 1);
  EXPECT_EQ(assembler_->anomalies().ignored_records, 0u);
}

TEST_F(Steps, AnEvaluationThatTheProcessEndsWithCompletesNoTrainingStep) {
  open(0, 1);
  step(0, 0);
  add(0, StepBegin{1, 0, 0, 0});
  add(0, StepBegin{0, 1, 0, 0});
  add(0, ScalarValue{0, 0.5});
  add(0, StepBegin{1, 0, 0, 0});  // the end of the evaluation was lost
  add(0, End{});
  EXPECT_THAT(take_numbers(), ElementsAre(0u, 0u));
  EXPECT_THAT(assembler_->finish(), IsEmpty());
}

TEST_F(Steps, SeriesAreTheSameOnEveryRankWhateverTheirIds) {
  open(0, 1);
  add(0, SeriesDeclaration{1, Kind::weight, Dtype::f16, {2, 3}, "fc.weight"});
  open(1, 2);
  add(1, SeriesDeclaration{5, Kind::weight, Dtype::f16, {2, 3}, "fc.weight"});
  add(1, SeriesDeclaration{6, Kind::gradient, Dtype::f16, {2, 3}, "fc.weight"});
  const SeriesTable& table = assembler_->series();
  EXPECT_EQ(table.size(), 3u);
  ASSERT_TRUE(table.find("fc.weight", Kind::weight));
  EXPECT_NE(table.find("fc.weight", Kind::weight), table.find("fc.weight", Kind::gradient));
  EXPECT_THAT(table[*table.find("fc.weight", Kind::weight)].shape, ElementsAre(2, 3));
  add(1, StepBegin{0, 0, 0, 0});
  TensorStats stats;
  stats.count = 6;
  add(1, StatsValue{5, stats});
  add(1, StepEnd{0, 0, 0});
  step(0, 0);
  const auto steps = take();
  ASSERT_THAT(steps, SizeIs(1));
  const Observation& last = steps[0].observations.back();
  EXPECT_EQ(last.series, table.find("fc.weight", Kind::weight));
  ASSERT_NE(last.stats(), nullptr);
  EXPECT_EQ(last.stats()->count, 6u);
  EXPECT_EQ(last.scalar(), nullptr);
}

TEST_F(Steps, TheValuesOfATensorAreWholeOrLost) {
  open(0, 1);
  const std::vector<uint8_t> bytes = {1, 2, 3, 4, 5, 6};
  const auto piece = [&](uint64_t from, uint64_t to) {
    return RawPiece{
        0,
        bytes.size(),
        from,
        {bytes.begin() + static_cast<ptrdiff_t>(from), bytes.begin() + static_cast<ptrdiff_t>(to)}};
  };
  add(0, StepBegin{0, 0, 0, 0});
  add(0, piece(0, 2));
  add(0, piece(2, 5));
  add(0, piece(5, 6));
  add(0, piece(0, 2));  // the next is missing
  add(0, piece(3, 6));
  add(0, piece(0, 4));  // the rest never comes
  add(0, StepEnd{0, 0, 0});
  const auto steps = take();
  ASSERT_THAT(steps, SizeIs(1));
  ASSERT_THAT(steps[0].observations, SizeIs(1));
  EXPECT_EQ(std::get<RawTensor>(steps[0].observations[0].value).safetensors, bytes);
  EXPECT_EQ(assembler_->anomalies().broken_tensors, 2u);
}

TEST_F(Steps, StepsLeaveInOrder) {
  open(0, 2);
  open(1, 2);
  for (uint64_t i = 0; i < 5; ++i) step(0, i);
  step(1, 0);
  EXPECT_THAT(take_numbers(), ElementsAre(0));
  step(1, 1);
  step(1, 2);
  EXPECT_THAT(take_numbers(), ElementsAre(1, 2));
}

TEST_F(Steps, ARankNeedNotRecordEveryStep) {
  open(0, 2);
  open(1, 2);
  step(0, 0);
  step(0, 1);
  step(1, 1);
  const auto steps = take();
  EXPECT_THAT(numbers(steps), ElementsAre(0, 1));
  EXPECT_THAT(steps[0].missing_ranks, ElementsAre(1));
  EXPECT_THAT(steps[1].missing_ranks, IsEmpty());
}

TEST_F(Steps, WorldSizeOrWhatWasAskedFor) {
  restart_with({.expected_ranks = 1});
  open(0, 4);
  step(0, 0);
  EXPECT_THAT(take_numbers(), ElementsAre(0));
  restart_with({.expected_ranks = 2});
  open(0, 1);
  step(0, 0);
  EXPECT_THAT(take(), IsEmpty());
}

TEST_F(Steps, ALateRankIsGivenUpOnceAndNotForEveryStep) {
  open(0, 2);
  step(0, 0);
  EXPECT_EQ(assembler_->next_deadline_ms(), now_ms_ + 10'000);
  now_ms_ += 9'999;
  EXPECT_THAT(take(), IsEmpty());
  now_ms_ += 1;
  const auto steps = take();
  EXPECT_THAT(numbers(steps), ElementsAre(0));
  EXPECT_THAT(steps[0].missing_ranks, ElementsAre(1));
  EXPECT_EQ(assembler_->next_deadline_ms(), std::nullopt);
  step(0, 1);
  EXPECT_THAT(take_numbers(), ElementsAre(1));  // at once

  open(1, 2);
  step(1, 0);
  EXPECT_EQ(assembler_->anomalies().late_steps, 1u);
  EXPECT_THAT(take(), IsEmpty());
  step(1, 2);  // it has caught up: from now on it is waited for
  EXPECT_THAT(take(), IsEmpty());
  step(0, 2);
  step(0, 3);
  const auto both = take();
  EXPECT_THAT(numbers(both), ElementsAre(2));
  EXPECT_THAT(both[0].missing_ranks, IsEmpty());
}

TEST_F(Steps, TooManyWaitingSteps) {
  restart_with({.max_step_lag = 3});
  open(0, 2);
  for (uint64_t i = 0; i < 3; ++i) step(0, i);
  EXPECT_THAT(take(), IsEmpty());
  step(0, 3);
  EXPECT_THAT(take_numbers(), ElementsAre(0, 1, 2, 3));
}

TEST_F(Steps, NobodyWaitsForARankThatClosedOrLeft) {
  open(0, 3);
  open(1, 3);
  add(1, End{0, 0, 5});
  step(0, 0);
  EXPECT_THAT(take(), IsEmpty());  // rank 2 has never been seen
  assembler_->rank_exited(2);
  EXPECT_THAT(take_numbers(), ElementsAre(0));
  const auto progress = assembler_->progress();
  ASSERT_THAT(progress, SizeIs(2));
  EXPECT_TRUE(progress[1].ended);
  EXPECT_EQ(progress[1].dropped, 5u);
}

TEST_F(Steps, RestartFromACheckpointEmitsStepsAgain) {
  open(0, 2);
  open(1, 2);
  for (uint64_t i = 0; i < 3; ++i) {
    step(0, i);
    step(1, i);
  }
  step(0, 3);  // rank 1 died in step 3
  EXPECT_THAT(take_numbers(), ElementsAre(0, 1, 2));
  open(1, 2, 201);
  step(1, 2);
  const auto last = take();  // nobody will end the old step 3 any more
  EXPECT_THAT(numbers(last), ElementsAre(3));
  EXPECT_THAT(last[0].missing_ranks, ElementsAre(1));
  EXPECT_EQ(last[0].incarnation, 0u);
  open(0, 2, 200);
  step(0, 2);
  step(0, 3);
  step(1, 3);
  const auto again = take();
  EXPECT_THAT(numbers(again), ElementsAre(2, 3));
  EXPECT_EQ(again[0].incarnation, 1u);
  EXPECT_THAT(again[0].missing_ranks, IsEmpty());
  EXPECT_EQ(assembler_->anomalies().late_steps, 0u);
}

TEST_F(Steps, RestartThatGoesOnIsNoNewIncarnation) {
  open(0, 1);
  step(0, 0);
  open(0, 1, 7);
  step(0, 1);
  const auto steps = take();
  EXPECT_THAT(numbers(steps), ElementsAre(0, 1));
  EXPECT_EQ(steps[1].incarnation, 0u);
}

TEST_F(Steps, ARestartForgetsSeriesAndTheOpenStep) {
  open(0, 1);
  add(0, StepBegin{0, 0, 0, 0});
  add(0, ScalarValue{0, 1});
  add(0, Header{1, 0, 1, 999, 2, 2, 2, 2, "again"});
  add(0, StepBegin{0, 0, 0, 0});
  add(0, ScalarValue{0, 2});  // not declared by this process
  add(0, StepEnd{0, 0, 0});
  const auto steps = take();
  ASSERT_THAT(steps, SizeIs(1));
  EXPECT_THAT(steps[0].observations, IsEmpty());
  EXPECT_EQ(assembler_->anomalies().unknown_series, 1u);
}

TEST_F(Steps, ANewSegmentOfTheSameProcessChangesNothing) {
  open(0, 1);
  add(0, StepBegin{0, 0, 0, 0});
  add(0, ScalarValue{0, 1});
  open(0, 1);
  add(0, ScalarValue{0, 2});
  add(0, StepEnd{0, 0, 0});
  const auto steps = take();
  ASSERT_THAT(steps, SizeIs(1));
  EXPECT_THAT(steps[0].observations, SizeIs(2));
}

TEST_F(Steps, EvaluationsLeaveAtOnceAndAlone) {
  open(0, 2);
  open(1, 2);
  step(0, 0);
  step(0, 0, 1);
  step(0, 0, 1);  // a second evaluation of the same step
  auto steps = take();
  ASSERT_THAT(steps, SizeIs(2));
  EXPECT_EQ(steps[0].mode, 1);
  EXPECT_THAT(steps[0].missing_ranks, IsEmpty());
  EXPECT_THAT(steps[0].observations, SizeIs(1));
  step(1, 0);
  steps = take();
  ASSERT_THAT(steps, SizeIs(1));
  EXPECT_EQ(steps[0].mode, 0);
  EXPECT_EQ(steps[0].incarnation, 0u);
  EXPECT_THAT(steps[0].observations, SizeIs(2));
}

TEST_F(Steps, LostBeginsAndEnds) {
  open(0, 1);
  add(0, StepBegin{0, 0, 0, 0});
  add(0, ScalarValue{0, 1});
  step(0, 1);  // the end of step 0 was lost
  EXPECT_THAT(take_numbers(), ElementsAre(0, 1));
  add(0, ScalarValue{0, 2});  // the begin of step 2 was lost
  add(0, StepEnd{2, 0, 0});
  EXPECT_THAT(take(), IsEmpty());
  EXPECT_EQ(assembler_->anomalies().excess_observations, 1u);
  EXPECT_EQ(assembler_->anomalies().ignored_records, 1u);
  step(0, 3);
  EXPECT_THAT(take_numbers(), ElementsAre(3));
}

TEST_F(Steps, FinishGivesWhatIsLeft) {
  open(0, 2);
  open(1, 2);
  step(0, 0);
  add(0, StepBegin{1, 0, 3'000'000'000, 0});
  add(0, ScalarValue{0, 42});  // and then the process died
  const auto steps = assembler_->finish();
  EXPECT_THAT(numbers(steps), ElementsAre(0, 1));
  EXPECT_THAT(steps[0].missing_ranks, ElementsAre(1));
  EXPECT_THAT(steps[1].missing_ranks, ElementsAre(0, 1));
  ASSERT_THAT(steps[1].observations, SizeIs(1));
  EXPECT_EQ(*steps[1].observations[0].scalar(), 42);
  EXPECT_EQ(steps[1].wall_time, 3.0);
  EXPECT_THAT(assembler_->finish(), IsEmpty());
}

TEST_F(Steps, Progress) {
  open(1, 2);
  now_ms_ += 5;
  open(0, 2);
  now_ms_ += 5;
  step(1, 4);
  now_ms_ += 5;
  add(1, StepBegin{5, 0, 0, 0});
  const auto progress = assembler_->progress();
  ASSERT_THAT(progress, SizeIs(2));
  EXPECT_EQ(progress[0].rank, 0u);
  EXPECT_EQ(progress[0].completed, 0u);
  EXPECT_EQ(progress[0].last_step, std::nullopt);
  EXPECT_EQ(progress[0].last_step_ms, now_ms_ - 10);
  EXPECT_EQ(progress[1].completed, 1u);
  EXPECT_EQ(progress[1].last_step, 4u);
  EXPECT_EQ(progress[1].last_step_ms, now_ms_ - 5);
  EXPECT_EQ(progress[1].last_activity_ms, now_ms_);
}

// `hang` compares them across ranks: an evaluation, or more of a step, brings nobody forward.
TEST_F(Steps, ProgressCountsTrainingStepsOnce) {
  open(0, 2);
  open(1, 2);
  for (uint32_t rank : {0, 1}) step(rank, 0);
  for (int i = 0; i < 3; ++i) step(0, 0, 1);
  add(0, StepBegin{0, 0, 0, 0, true});
  add(0, StepEnd{0, 0, 0});
  step(1, 1);
  (void)take();
  add(0, StepBegin{0, 0, 0, 0, true});
  add(0, StepEnd{0, 0, 0});
  auto progress = assembler_->progress();
  EXPECT_EQ(progress[0].completed, 1u);
  EXPECT_EQ(progress[1].completed, 2u);
  step(0, 0);  // it went back, and works on
  EXPECT_EQ(assembler_->progress()[0].completed, 2u);
}

TEST_F(Steps, HostileRecordsStayBounded) {
  add(StepAssembler::kMaxRanks, StepBegin{0, 0, 0, 0});
  open(0, UINT32_MAX);
  add(0, SeriesDeclaration{UINT32_MAX, Kind::loss, Dtype::f32, {}, "x"});
  add(0, StepBegin{0, 77, 0, 0});
  add(0, ScalarValue{0, 1});
  add(0, StepBegin{UINT64_MAX, 0, 0, 0});
  add(0, ScalarValue{UINT32_MAX, 1});
  add(0, StepEnd{UINT64_MAX, UINT64_MAX, UINT64_MAX});
  now_ms_ += 10'000;
  const auto steps = take();
  ASSERT_THAT(steps, SizeIs(1));
  EXPECT_THAT(steps[0].missing_ranks, SizeIs(StepAssembler::kMaxRanks - 1));
  EXPECT_EQ(assembler_->anomalies().ignored_records, 3u);
  EXPECT_EQ(assembler_->anomalies().unknown_series, 1u);
}

TEST_F(Steps, LargeValuesStayBounded) {
  constexpr uint64_t kPiece = StepAssembler::kMaxBytes / 4;
  restart_with({.max_bytes = 6 * kPiece});
  open(0, 2);
  open(1, 2);
  const auto tensor = [&] { add(0, RawPiece{0, kPiece, 0, std::vector<uint8_t>(kPiece)}); };
  add(0, StepBegin{0, 0, 0, 0});
  for (int i = 0; i < 4; ++i) tensor();
  tensor();
  EXPECT_EQ(assembler_->anomalies().excess_observations, 1u);
  step(0, 0, 1);  // an evaluation within it has its own
  tensor();
  EXPECT_EQ(assembler_->anomalies().excess_observations, 2u);
  add(0, StepEnd{0, 0, 0});
  EXPECT_THAT(take_numbers(), ElementsAre(0)) << "the evaluation";
  for (uint64_t number : {1, 2}) {
    add(0, StepBegin{number, 0, 0, 0});
    tensor();
    tensor();
    add(0, StepEnd{number, 0, 0});
    if (number == 1) {
      EXPECT_THAT(take(), IsEmpty());
    }
  }
  const auto steps = take();  // nobody waits for the other rank with so much
  ASSERT_THAT(numbers(steps), ElementsAre(0, 1, 2));
  EXPECT_THAT(steps[0].observations, SizeIs(4));
  EXPECT_THAT(steps[0].missing_ranks, ElementsAre(1));
  EXPECT_EQ(assembler_->anomalies().excess_observations, 2u);
}

// `pawl log` twice for a step, and files that are read late: training has not gone back.
TEST_F(Steps, MoreOfAStepThatIsKnown) {
  const auto more = [&](uint32_t rank, uint64_t number) {
    add(rank, StepBegin{number, 0, 3'000'000'000, 7'000'000'000, true});
    add(rank, ScalarValue{0, 100});
    add(rank, StepEnd{number, 4'000'000'000, 8'000'000'000});
  };
  open(0, 2);
  open(1, 2);
  more(0, 3);  // its first
  more(0, 3);  // while it waits
  EXPECT_THAT(take(), IsEmpty());
  step(1, 3);
  auto steps = take();
  ASSERT_THAT(steps, SizeIs(1));
  EXPECT_FALSE(steps[0].more);
  ASSERT_THAT(steps[0].ranks, SizeIs(2));
  EXPECT_EQ(steps[0].ranks[0].end_s, 8.0);
  EXPECT_THAT(steps[0].observations, SizeIs(3));

  step(0, 5);
  step(1, 5);
  more(1, 3);  // after it was emitted, and after a later one
  more(1, 4);  // one that there was not
  steps = take();
  ASSERT_THAT(numbers(steps), ElementsAre(5, 3, 4));
  EXPECT_FALSE(steps[0].more);
  EXPECT_TRUE(steps[1].more);
  EXPECT_EQ(steps[1].incarnation, 0u);
  ASSERT_THAT(steps[1].ranks, SizeIs(1));
  EXPECT_EQ(steps[1].ranks[0].rank, 1u);
  EXPECT_THAT(steps[1].missing_ranks, IsEmpty());
  EXPECT_THAT(steps[1].observations, SizeIs(1));
  EXPECT_EQ(assembler_->progress()[1].last_step, 5u);

  // Ranks wait for each other as before, and who really goes back does.
  step(0, 6);
  EXPECT_THAT(take(), IsEmpty());
  step(1, 6);
  EXPECT_THAT(take_numbers(), ElementsAre(6));
  step(0, 6);
  step(1, 6);
  more(0, 2);
  steps = take();
  ASSERT_THAT(numbers(steps), ElementsAre(6, 2));
  EXPECT_EQ(steps[0].incarnation, 1u);
  EXPECT_EQ(steps[1].incarnation, 1u);
  EXPECT_EQ(assembler_->anomalies().late_steps, 0u);
}

TEST_F(Steps, MoreOfAStepThatWasUndoneDidNotHappen) {
  const auto more = [&](uint32_t rank, uint64_t number) {
    add(rank, StepBegin{number, 0, 0, 0, true});
    add(rank, StepEnd{number, 0, 0});
  };
  open(0, 2);
  open(1, 2);
  for (uint64_t number : {5, 9}) {
    for (uint32_t rank : {0, 1}) step(rank, number);
  }
  EXPECT_THAT(take_numbers(), ElementsAre(5, 9));
  step(0, 3);  // the next incarnation waits for the other rank
  more(0, 2);  // and this for it
  EXPECT_THAT(take(), IsEmpty());
  step(1, 3);
  EXPECT_THAT(take_numbers(), ElementsAre(3, 2));
  for (uint32_t rank : {0, 1}) step(rank, 9);
  step(0, 7);  // once more, and later than the one before began
  now_ms_ += 10'000;
  EXPECT_THAT(take_numbers(), ElementsAre(9, 7));
  more(1, 7);  // of a rank that has not gone back yet
  more(1, 6);
  const auto steps = take();
  ASSERT_THAT(numbers(steps), ElementsAre(6));
  EXPECT_EQ(steps[0].incarnation, 2u);
}

}  // namespace
}  // namespace pawl::trace
