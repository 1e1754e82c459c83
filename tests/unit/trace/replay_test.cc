#include "engine/trace/replay.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tuple>
#include <vector>

#include "engine/base/files.h"
#include "engine/trace/query.h"
#include "engine/trace/steps.h"
#include "tests/unit/trace/segment_builder.h"

namespace pawl::trace {
namespace {

using testing::ElementsAre;
using testing::FieldsAre;
using testing::HasSubstr;

class ReplayTest : public testing::Test {
 protected:
  ReplayTest() : dir_(TempDir::create("pawl-replay").value()), db_(dir_.path() + "/trace.db") {}

  void write(uint32_t rank, const std::string& name, const SegmentBuilder& segment) {
    const std::string folder = fmt::format("{}/rank-{:05}", dir_.path(), rank);
    ASSERT_TRUE(make_dirs(folder).ok());
    ASSERT_TRUE(write_file_atomic(folder + "/" + name, segment.text()).ok());
  }
  uint64_t replay() {
    Collector collector = Collector::create(db_).value();
    auto steps = replay_segments(dir_.path(), collector);
    EXPECT_TRUE(steps.ok()) << steps.error().to_string();
    return steps.ok() ? *steps : 0;
  }
  int64_t query(const std::string& sql) {
    Db db = Db::open(db_, Db::Access::read_only).value();
    return db.query_int(sql).value().value_or(-1);
  }

  TempDir dir_;
  std::string db_;
};

TEST_F(ReplayTest, NoRankIsLateHoweverFarAheadTheOthersAre) {
  constexpr uint64_t kSteps = 20'000;
  SegmentBuilder large, small;
  large.header(0, 2).series(0, "loss", Kind::loss).series(1, "fc1.weight", Kind::weight, {4});
  small.header(1, 2).series(0, "loss", Kind::loss);
  for (uint64_t step = 0; step < kSteps; ++step) {
    large.begin(step).scalar(0, 0.5).stats(1, 4).stats(1, 4).end(step);
    small.begin(step).scalar(0, 1.5).end(step);
  }
  write(0, "000001.seg", large);
  write(1, "000001.seg", small.close());
  EXPECT_EQ(replay(), kSteps);
  EXPECT_EQ(query("SELECT count(*) FROM steps"), static_cast<int64_t>(2 * kSteps));
  EXPECT_EQ(query("SELECT count(*) FROM scalars"), static_cast<int64_t>(2 * kSteps));
  EXPECT_EQ(query("SELECT count(*) FROM statistics"), static_cast<int64_t>(kSteps));
  EXPECT_EQ(query("SELECT count(*) FROM anomalies"), 0);
}

TEST_F(ReplayTest, WhatFollowsAReturnToACheckpointReplacesWhatWasThere) {
  SegmentBuilder first, second;
  first.header(0, 1, 1).series(0, "loss", Kind::loss);
  for (uint64_t step = 0; step < 10; ++step) first.begin(step).scalar(0, 1).end(step);
  second.header(0, 1, 2, 2).series(0, "loss", Kind::loss);
  for (uint64_t step = 6; step < 8; ++step) second.begin(step).scalar(0, 2).end(step);
  write(0, "000001.seg", first);
  write(0, "000002.seg", second);
  EXPECT_EQ(replay(), 12u);
  EXPECT_EQ(query("SELECT max(step) FROM steps"), 7);
  EXPECT_EQ(query("SELECT sum(value) FROM scalars"), 6 + 2 * 2);
}

// Live, values arrive one after the other; here all of a rank at once.
TEST_F(ReplayTest, UnorderedStepsAroundAReturnAreWhatTheyWereLive) {
  const auto records = [](uint32_t rank, SegmentBuilder& segment) {
    segment.header(rank, 2).series(0, "loss", Kind::loss);
    segment.begin(1).end(1).begin(8).end(8);
    segment.begin(0, 0, true).scalar(0, 10 + rank).end(0);  // stays
    segment.begin(7, 0, true).scalar(0, 20 + rank).end(7);  // is undone
    segment.begin(4).scalar(0, 30 + rank).end(4);
    segment.begin(2, 0, true).scalar(0, 40 + rank).end(2);
    segment.begin(4, 0, true).scalar(0, 50 + rank).end(4);  // the last value of a series holds
    segment.begin(5).scalar(0, 60 + rank).end(5);
  };
  SegmentBuilder segments[2];
  for (uint32_t rank : {0, 1}) {
    records(rank, segments[rank]);
    write(rank, "000001.seg", segments[rank].close());
  }
  // step, rank, value
  const auto table = [&] {
    Db db = Db::open(db_, Db::Access::read_only).value();
    Stmt query = db.prepare("SELECT step, rank, value FROM v1_losses ORDER BY step, rank, value").value();
    std::vector<std::tuple<int64_t, int64_t, double>> rows;
    while (query.step().value()) rows.emplace_back(query.integer(0), query.integer(1), query.real(2));
    return rows;
  };
  (void)replay();
  const auto rebuilt = table();
  EXPECT_THAT(rebuilt, ElementsAre(FieldsAre(0, 0, 10), FieldsAre(0, 1, 11), FieldsAre(2, 0, 40),
                                   FieldsAre(2, 1, 41), FieldsAre(4, 0, 50), FieldsAre(4, 1, 51),
                                   FieldsAre(5, 0, 60), FieldsAre(5, 1, 61)));
  {
    Collector collector = Collector::create(db_).value();
    StepAssembler assembler;
    const std::vector<Record> of[2] = {decode_all(segments[0].bytes()), decode_all(segments[1].bytes())};
    ASSERT_EQ(of[0].size(), of[1].size());
    for (size_t i = 0; i < of[0].size(); ++i) {
      for (uint32_t rank : {0, 1}) assembler.add(rank, of[rank][i], 0);
      for (const Step& step : assembler.take(0)) ASSERT_TRUE(collector.add(step).ok());
    }
    for (const Step& step : assembler.finish()) ASSERT_TRUE(collector.add(step).ok());
  }
  EXPECT_EQ(table(), rebuilt);
}

TEST_F(ReplayTest, ARankThatRecordedNothingIsNotWaitedForAndATornTailIsCounted) {
  SegmentBuilder segment;
  segment.header(0, 3).series(0, "loss", Kind::loss).begin(0).scalar(0, 1).end(0).begin(1).scalar(0, 2);
  std::string bytes(segment.text());
  bytes += SegmentBuilder().end(1).text().substr(0, 20);
  ASSERT_TRUE(make_dirs(dir_.path() + "/rank-00000").ok());
  ASSERT_TRUE(write_file_atomic(dir_.path() + "/rank-00000/000001.seg", bytes).ok());
  EXPECT_EQ(replay(), 2u);
  EXPECT_EQ(query("SELECT count(*) FROM v1_steps"), 1) << "the last step was begun and never ended";
  EXPECT_EQ(query("SELECT sum(value) FROM scalars"), 3);
  EXPECT_EQ(query("SELECT count FROM anomalies WHERE kind = 'skipped_bytes'"), 20);
}

TEST_F(ReplayTest, AMissingFolderIsAnError) {
  Collector collector = Collector::create(db_).value();
  auto steps = replay_segments(dir_.path() + "/none", collector);
  ASSERT_FALSE(steps.ok());
  EXPECT_THAT(steps.error().to_string(), HasSubstr("/none"));
}

}  // namespace
}  // namespace pawl::trace
