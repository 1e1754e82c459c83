#include "engine/trace/tensorboard.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <tensorboard_event.pb.h>

#include <cmath>
#include <cstring>

#include "engine/base/files.h"
#include "engine/trace/collector.h"
#include "tests/unit/trace/make_step.h"

namespace pawl::trace {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr double kNow = 5e9;

std::string hex(std::string_view bytes) {
  std::string out;
  for (char byte : bytes) out += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return out;
}

TEST(TfRecord, IsWhatTensorflowWrites) {
  std::string out;
  append_tfrecord(out, "pawl");
  EXPECT_EQ(hex(out), "0400000000000000424552047061776c7a592ed5");
}

class TensorBoardTest : public testing::Test {
 protected:
  TensorBoardTest()
      : dir_(TempDir::create("pawl-tensorboard").value()),
        db_(dir_.path() + "/trace.db"),
        collector_(Collector::create(db_).value()),
        export_(dir_.path() + "/out", "run.train.1",
                [](std::string_view name) { return name != "unwanted"; }) {}

  // A loss in a step of rank 0. `later`: seconds after the time the step maker gives it.
  void write_loss(uint64_t number, double loss, uint64_t incarnation = 0, double later = 0) {
    Step step = maker_.step(number);
    step.incarnation = incarnation;
    step.wall_time += later;
    maker_.add(step, 0, "loss", Kind::loss, loss);
    ASSERT_TRUE(collector_.add(step).ok());
  }
  Result<void> update() {
    EXPECT_TRUE(collector_.commit().ok());
    TraceReader reader = TraceReader::open(db_).value();
    return export_.update(reader, kNow);
  }
  std::string file_of(const std::string& lane) {
    return dir_.path() + "/out/" + lane + "/events.out.tfevents.pawl.run.train.1";
  }
  std::vector<tensorboard::Event> read(const std::string& lane) {
    const std::string bytes = read_file(file_of(lane), 1u << 30).value();
    std::vector<tensorboard::Event> events;
    for (size_t at = 0; at < bytes.size();) {
      uint64_t length = 0;
      std::memcpy(&length, bytes.data() + at, sizeof length);
      EXPECT_TRUE(events.emplace_back().ParseFromString(bytes.substr(at + 12, length)));
      at += 16 + length;
    }
    return events;
  }
  static std::map<std::string, const tensorboard::Summary::Value*> values(const tensorboard::Event& event) {
    std::map<std::string, const tensorboard::Summary::Value*> out;
    for (const auto& value : event.summary().value()) out[value.tag()] = &value;
    return out;
  }

  TempDir dir_;
  std::string db_;
  Collector collector_;
  StepMaker maker_;
  TensorBoardExport export_;
};

TEST_F(TensorBoardTest, AFolderForEachRankAndMode) {
  Step step = maker_.step(3, {0, 1});
  for (uint32_t rank : {0u, 1u}) maker_.add(step, rank, "loss", Kind::loss, 0.5 + rank);
  maker_.add(step, 1, "unwanted", Kind::scalar, 1.0);
  maker_.add(step, 1, "loss", Kind::scalar, 7.0);
  ASSERT_TRUE(collector_.add(step).ok());
  Step evaluation = maker_.step(4);
  evaluation.mode = 1;
  maker_.add(evaluation, 0, "loss", Kind::loss, 1e300);
  ASSERT_TRUE(collector_.add(evaluation).ok());
  ASSERT_TRUE(update().ok());
  EXPECT_EQ(export_.folders(), 3u);
  EXPECT_EQ(export_.steps(), 3u);
  auto events = read("rank1-train");
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0].file_version(), "brain.Event:2");
  EXPECT_EQ(events[1].step(), 3);
  EXPECT_DOUBLE_EQ(events[1].wall_time(), 1.7e9 + 0.3);
  auto said = values(events[1]);
  ASSERT_EQ(said.size(), 2u);
  EXPECT_EQ(said.at("loss")->simple_value(), 1.5f);
  EXPECT_EQ(said.at("loss/scalar")->simple_value(), 7.0f);
  auto evaluated = read("rank0-eval");
  EXPECT_TRUE(std::isinf(values(evaluated.at(1)).at("loss")->simple_value()));
}

TEST_F(TensorBoardTest, StatisticsAndTheHistogramOfMagnitudes) {
  TensorStats some;
  some.count = 8;
  some.nan = 1;
  some.inf = 1;
  some.zero = 2;
  some.min = -2;
  some.max = 4;
  some.sum = 3;
  some.square_sum = 24;
  some.magnitude[0] = 1;
  some.magnitude[2] = 3;
  TensorStats none;
  none.count = none.nan = 4;
  Step step = maker_.step(0);
  maker_.add(step, 0, "w", Kind::gradient, some);
  maker_.add(step, 0, "w", Kind::weight, none);
  ASSERT_TRUE(collector_.add(step).ok());
  ASSERT_TRUE(update().ok());
  auto events = read("rank0-train");
  auto said = values(events.at(1));
  EXPECT_EQ(said.at("w/gradient/rms")->simple_value(), 2.0f);
  EXPECT_EQ(said.at("w/gradient/mean")->simple_value(), 0.5f);
  EXPECT_EQ(said.at("w/gradient/min")->simple_value(), -2.0f);
  EXPECT_EQ(said.at("w/gradient/max")->simple_value(), 4.0f);
  EXPECT_EQ(said.at("w/gradient/zero_share")->simple_value(), 0.25f);
  EXPECT_EQ(said.at("w/gradient/non_finite")->simple_value(), 2.0f);
  const tensorboard::Histogram& histogram = said.at("w/gradient/log2_magnitude")->histo();
  EXPECT_EQ(histogram.min(), -20);
  EXPECT_EQ(histogram.max(), -14);
  EXPECT_EQ(histogram.num(), 4);
  EXPECT_THAT(histogram.bucket_limit(), ElementsAre(-18, -16, -14));
  EXPECT_THAT(histogram.bucket(), ElementsAre(1, 0, 3));
  EXPECT_TRUE(std::isnan(said.at("w/weight/mean")->simple_value()));
  EXPECT_TRUE(std::isnan(said.at("w/weight/min")->simple_value()));
  EXPECT_FALSE(said.contains("w/weight/log2_magnitude"));
}

TEST_F(TensorBoardTest, GoesOnWhereItWasAndTellsOfAReturnToACheckpoint) {
  for (uint64_t step = 0; step < 6; ++step) write_loss(step, 1);
  ASSERT_TRUE(update().ok());
  ASSERT_TRUE(update().ok());
  EXPECT_EQ(export_.steps(), 6u);
  // Training goes back, and is beyond where it was before anybody looks.
  for (uint64_t step = 4; step < 8; ++step) write_loss(step, 2, 1, 10);
  ASSERT_TRUE(update().ok());
  std::vector<std::string> said;
  for (const auto& event : read("rank0-train")) {
    if (event.has_session_log()) {
      EXPECT_EQ(event.session_log().status(), tensorboard::SessionLog::START);
      said.push_back(fmt::format("back to {}", event.step()));
    } else if (event.has_summary()) {
      said.push_back(fmt::format("{}:{}", event.step(), event.summary().value(0).simple_value()));
    }
  }
  EXPECT_THAT(said,
              ElementsAre("0:1", "1:1", "2:1", "3:1", "4:1", "5:1", "back to 4", "4:2", "5:2", "6:2", "7:2"));
}

TEST_F(TensorBoardTest, TheStepInWhichTheTrainingDied) {
  write_loss(0, 1);
  ASSERT_TRUE(update().ok());
  Step step = maker_.step(1, {});  // no rank ended it
  maker_.add(step, 0, "loss", Kind::loss, 2.0);
  maker_.add(step, 1, "loss", Kind::loss, 3.0);
  ASSERT_TRUE(collector_.add(step).ok());
  ASSERT_TRUE(update().ok());
  ASSERT_TRUE(update().ok());
  auto events = read("rank0-train");
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[2].step(), 1);
  EXPECT_DOUBLE_EQ(events[2].wall_time(), 1.7e9);
  EXPECT_EQ(read("rank1-train").at(1).wall_time(), kNow) << "the rank has completed no step";
}

TEST_F(TensorBoardTest, MoreStepsThanAreReadAtOnce) {
  constexpr uint64_t kSteps = 120'000;
  for (uint64_t step = 0; step < kSteps; ++step) write_loss(step, static_cast<double>(step));
  ASSERT_TRUE(update().ok());
  auto events = read("rank0-train");
  ASSERT_EQ(events.size(), kSteps + 1);
  for (uint64_t step = 0; step < kSteps; ++step) {
    ASSERT_EQ(events[step + 1].step(), static_cast<int64_t>(step));
  }
}

TEST_F(TensorBoardTest, AFolderWithFilesOfSomethingElse) {
  write_loss(0, 1);
  ASSERT_TRUE(make_dirs(dir_.path() + "/out/rank0-train").ok());
  ASSERT_TRUE(write_file_atomic(dir_.path() + "/out/rank0-train/events.out.tfevents.1.host", "x").ok());
  auto updated = update();
  ASSERT_FALSE(updated.ok());
  EXPECT_EQ(updated.error().code(), ErrorCode::conflict);
  EXPECT_THAT(updated.error().to_string(), HasSubstr("events.out.tfevents.1.host"));
}

}  // namespace
}  // namespace pawl::trace
