#include "engine/trace/query.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/base/files.h"
#include "engine/trace/collector.h"
#include "tests/unit/trace/make_step.h"

namespace pawl::trace {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

class QueryTest : public ::testing::Test {
 protected:
  QueryTest()
      : dir_(TempDir::create("pawl-query").value()),
        path_(dir_.path() + "/trace.db"),
        collector_(Collector::create(path_).value()) {}
  // Two ranks, losses step and step + 2 (their mean: step + 1), a gradient every tenth step.
  void write(uint64_t steps) {
    for (uint64_t number = 0; number < steps; ++number) {
      Step step = maker_.step(number, {0, 1});
      maker_.add(step, 0, "loss", Kind::loss, static_cast<double>(number));
      maker_.add(step, 1, "loss", Kind::loss, static_cast<double>(number) + 2);
      if (number % 10 == 0) {
        TensorStats stats;
        stats.count = 4;
        stats.square_sum = static_cast<double>(number * number);
        stats.magnitude[15] = number;
        maker_.add(step, 1, "w", Kind::gradient, stats);
      }
      ASSERT_TRUE(collector_.add(step).ok());
    }
  }
  TraceReader read() {
    EXPECT_TRUE(collector_.commit().ok());
    return TraceReader::open(path_).value();
  }
  TempDir dir_;
  std::string path_;
  Collector collector_;
  StepMaker maker_;
};

TEST_F(QueryTest, ListsSeriesAsTheyWereDeclared) {
  write(1);
  auto series = read().series().value();
  ASSERT_EQ(series.size(), 2u);
  EXPECT_EQ(series[0].name, "loss");
  EXPECT_EQ(series[0].kind, Kind::loss);
  EXPECT_EQ(series[1].kind, Kind::gradient);
  EXPECT_EQ(series[1].shape, (std::vector<int64_t>{3, 4}));
}

TEST_F(QueryTest, AShortCurveIsExactAndALongOneKeepsItsExtremes) {
  write(1000);
  TraceReader reader = read();
  auto exact = reader.curve("loss", Kind::loss, 1000).value();
  ASSERT_EQ(exact.size(), 1000u);
  EXPECT_EQ(exact[7].step, 7u);
  EXPECT_EQ(exact[7].mean, 8);
  auto coarse = reader.curve("loss", Kind::loss, 10).value();
  ASSERT_EQ(coarse.size(), 10u);
  EXPECT_EQ(coarse[0].step, 99u);
  EXPECT_EQ(coarse[0].min, 1);
  EXPECT_EQ(coarse[0].max, 100);
  EXPECT_EQ(coarse[0].last, 100);
  EXPECT_DOUBLE_EQ(coarse[0].mean, 50.5);
  EXPECT_EQ(coarse[9].step, 999u);
  EXPECT_TRUE(reader.curve("loss", Kind::scalar, 10).value().empty());
  EXPECT_EQ(reader.curve("loss", Kind::loss, 0).value().size(), 1u);
}

// More values than are read one by one: buckets, whose edges are not those of the points.
TEST_F(QueryTest, ACurveOfManyStepsIsReadFromBuckets) {
  constexpr uint64_t kSteps = 70'001;
  for (uint64_t number = 0; number < kSteps; ++number) {
    Step step = maker_.step(number);
    maker_.add(step, 0, "loss", Kind::loss, number == 40'000 ? -5 : number == 50'000 ? kNan : 1.0);
    ASSERT_TRUE(collector_.add(step).ok());
  }
  TraceReader reader = read();
  auto coarse = reader.curve("loss", Kind::loss, 100).value();
  ASSERT_EQ(coarse.size(), 100u);
  EXPECT_EQ(coarse.back().step, kSteps - 1);
  EXPECT_EQ(std::ranges::count(coarse, -5.0, &CurvePoint::min), 1);
  EXPECT_EQ(std::ranges::count(coarse, 1u, &CurvePoint::non_finite), 1);
  EXPECT_NEAR(static_cast<double>(std::ranges::find(coarse, -5.0, &CurvePoint::min)->step), 40'000, 1000);
  EXPECT_NEAR(coarse[10].mean, 1, 1e-9);
  EXPECT_EQ(reader.curve("loss", Kind::loss, kSteps).value().size(), kSteps);
  const SeriesExtent extent = reader.extent("loss", Kind::loss).value();
  EXPECT_EQ(extent.steps, kSteps);
  EXPECT_EQ(extent.first, 1);
  EXPECT_EQ(extent.last, 1);
  EXPECT_EQ(extent.non_finite, 1u);
  Db db = Db::open(path_, Db::Access::read_only).value();
  EXPECT_EQ(db.query_int("SELECT count(*) FROM buckets WHERE series = 0 AND width = 65536").value(), 1);
  EXPECT_EQ(db.query_int("SELECT count(*) FROM buckets WHERE series = 0 AND width = 16").value(), 4376);
  EXPECT_EQ(db.query_int("SELECT sum(count) FROM v1_curves WHERE width = 256").value(), 256 * 273);
}

TEST_F(QueryTest, OtherKindsHaveCurvesToo) {
  for (uint64_t number = 0; number < 3; ++number) {
    Step step = maker_.step(number, {0, 1});
    for (uint32_t rank : {0u, 1u}) {
      maker_.add(step, rank, "forward", Kind::span, Span{1'000'000'000, 1'250'000'000 + rank * 500'000'000});
      maker_.add(step, rank, "input", Kind::batch, Batch{7, 32 + 2 * rank, {}});
      maker_.add(step, rank, "w", Kind::hash, Digest{number == 1 ? rank : 5});
    }
    ASSERT_TRUE(collector_.add(step).ok());
  }
  TraceReader reader = read();
  EXPECT_EQ(reader.curve("forward", Kind::span, 9).value()[0].mean, 0.5);
  EXPECT_EQ(reader.curve("input", Kind::batch, 9).value()[2].mean, 33);
  auto differs = reader.curve("w", Kind::hash, 9).value();
  ASSERT_EQ(differs.size(), 3u);
  EXPECT_EQ(differs[0].mean, 0);
  EXPECT_EQ(differs[1].mean, 1);
  EXPECT_EQ(differs[2].mean, 0);
}

TEST_F(QueryTest, AvailableSeriesTellWhenTheyWereRecordedLast) {
  write(25);
  auto series = read().available().value();
  ASSERT_EQ(series.size(), 2u);
  EXPECT_EQ(series[0].name, "loss");
  EXPECT_EQ(series[0].last_step, 24u);
  EXPECT_EQ(series[1].last_step, 20u);
}

TEST_F(QueryTest, WhatAnOlderPawlWroteIsToBeMadeAnew) {
  std::string old = dir_.path() + "/old.db";
  {
    Db db = Db::open(old, Db::Access::create).value();
    ASSERT_TRUE(db.exec("PRAGMA user_version=1").ok());
  }
  auto opened = TraceReader::open(old);
  ASSERT_FALSE(opened.ok());
  EXPECT_NE(opened.error().to_string().find("pawl trace rebuild"), std::string::npos);
}

TEST_F(QueryTest, NonFiniteValuesAreCountedAndNotSummed) {
  const double values[] = {1, kNan, kInf, 3};
  for (uint64_t number = 0; number < 4; ++number) {
    Step step = maker_.step(number);
    maker_.add(step, 0, "loss", Kind::loss, values[number]);
    ASSERT_TRUE(collector_.add(step).ok());
  }
  TraceReader reader = read();
  auto curve = reader.curve("loss", Kind::loss, 1).value();
  ASSERT_EQ(curve.size(), 1u);
  EXPECT_EQ(curve[0].mean, 2);
  EXPECT_EQ(curve[0].non_finite, 2u);
  auto exact = reader.curve("loss", Kind::loss, 100).value();
  ASSERT_EQ(exact.size(), 4u);
  EXPECT_TRUE(std::isnan(exact[1].mean));
  EXPECT_TRUE(std::isnan(exact[2].last));
  EXPECT_EQ(exact[2].non_finite, 1u);
}

TEST_F(QueryTest, ACurveOfFarApartStepsIsShort) {
  for (uint64_t number : {uint64_t{0}, uint64_t{1} << 62}) {
    Step step = maker_.step(number);
    maker_.add(step, 0, "loss", Kind::loss, 1.0);
    ASSERT_TRUE(collector_.add(step).ok());
  }
  EXPECT_EQ(read().curve("loss", Kind::loss, 100).value().size(), 2u);
}

TEST_F(QueryTest, TensorsAroundAStep) {
  write(100);
  TraceReader reader = read();
  auto rows = reader.tensor("w", Kind::gradient, 25, 50).value();
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[0].step, 30u);
  EXPECT_EQ(rows[0].rank, 1u);
  EXPECT_EQ(rows[0].stats.count, 4u);
  EXPECT_EQ(rows[0].stats.magnitude[15], 30u);
  EXPECT_EQ(reader.tensor("w", Kind::gradient, 0, UINT64_MAX).value().size(), 10u);
  EXPECT_TRUE(reader.tensor("w", Kind::weight, 0, 100).value().empty());
  auto norm = reader.curve("w", Kind::gradient, 1000).value();
  ASSERT_EQ(norm.size(), 10u);
  EXPECT_EQ(norm[3].step, 30u);
  EXPECT_EQ(norm[3].mean, 30);
}

TEST_F(QueryTest, ProgressAndThroughput) {
  EXPECT_EQ(read().progress().value().last_step, std::nullopt);
  write(100);
  TraceReader reader = read();
  TraceProgress progress = reader.progress().value();
  EXPECT_EQ(progress.last_step, 99u);
  EXPECT_NEAR(progress.steps_per_s, 10, 1e-3);
  EXPECT_EQ(progress.loss, 100);
  auto throughput = reader.throughput(3).value();
  ASSERT_EQ(throughput.size(), 3u);
  EXPECT_NEAR(throughput[2].mean, 10, 1e-6);
  Step broken = maker_.step(100);
  maker_.add(broken, 0, "loss", Kind::loss, kNan);
  maker_.add(broken, 1, "loss", Kind::loss, 1.0);
  ASSERT_TRUE(collector_.add(broken).ok());
  EXPECT_TRUE(std::isnan(*read().progress().value().loss));
}

TEST_F(QueryTest, FindingsAndMetaComeBackAsTheyWere) {
  rules::Finding finding;
  finding.rule = "non_finite";
  finding.action = rules::Action::warn;
  finding.severity = rules::Severity::warn;
  finding.first_step = 5;
  finding.last_step = 9;
  finding.count = 3;
  finding.rank = 1;
  finding.tensor = "fc1.weight";
  finding.kind = "gradient";
  finding.value = kInf;
  finding.limit = kNan;
  finding.message = "the gradient of fc1.weight has 1 NaN";
  ASSERT_TRUE(collector_.set_findings(std::vector{finding}).ok());
  finding.count = 4;
  ASSERT_TRUE(collector_.set_findings(std::vector{finding}).ok());
  ASSERT_TRUE(collector_.set_meta("run", "01ABC").ok());
  TraceReader reader = read();
  auto findings = reader.findings().value();
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].rule, finding.rule);
  EXPECT_EQ(findings[0].action, finding.action);
  EXPECT_EQ(findings[0].severity, finding.severity);
  EXPECT_EQ(findings[0].first_step, 5u);
  EXPECT_EQ(findings[0].last_step, 9u);
  EXPECT_EQ(findings[0].count, 4u);
  EXPECT_EQ(findings[0].rank, 1u);
  EXPECT_EQ(findings[0].tensor, finding.tensor);
  EXPECT_EQ(findings[0].kind, finding.kind);
  EXPECT_EQ(findings[0].value, kInf);
  EXPECT_TRUE(std::isnan(findings[0].limit));
  EXPECT_EQ(findings[0].message, finding.message);
  EXPECT_EQ(reader.meta("run").value(), "01ABC");
  EXPECT_EQ(reader.meta("no").value(), std::nullopt);
}

TEST_F(QueryTest, RefusesWhatItDoesNotKnow) {
  EXPECT_EQ(TraceReader::open(dir_.path() + "/none.db").error().code(), ErrorCode::not_found);
  std::string other = dir_.path() + "/other.db";
  {
    Db db = Db::open(other, Db::Access::create).value();
    ASSERT_TRUE(db.exec("PRAGMA user_version=999").ok());
  }
  EXPECT_EQ(TraceReader::open(other).error().code(), ErrorCode::invalid);
}

}  // namespace
}  // namespace pawl::trace
