#include "engine/trace/replay.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/base/files.h"
#include "engine/trace/query.h"
#include "tests/unit/trace/segment_builder.h"

namespace pawl::trace {
namespace {

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
