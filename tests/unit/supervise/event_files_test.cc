#include "engine/supervise/event_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tuple>

#include "engine/base/files.h"
#include "engine/trace/event_file.h"
#include "engine/trace/steps.h"
#include "engine/trace/tail.h"
#include "hooks/capture/crc32c.h"

namespace pawl::supervise {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::UnorderedElementsAre;

class EventFilesTest : public testing::Test {
 protected:
  EventFilesTest() {
    intent_.source_dir = temp_.path() + "/source";
    intent_.attempt_dir = temp_.path() + "/attempt";
    intent_.event_files = "runs/*";
    EXPECT_TRUE(make_dirs(intent_.source_dir).ok());
    EXPECT_TRUE(make_dirs(intent_.attempt_dir + "/trace").ok());
  }

  // A writer of `<path>` in the checkout.
  trace::EventFile file(const std::string& path) {
    const std::string whole = intent_.source_dir + "/" + path;
    EXPECT_TRUE(make_dirs(parent_path(whole)).ok());
    return trace::EventFile::create(whole, 1000).value();
  }
  static void say(trace::EventFile& file, uint64_t step, const std::string& tag, double value) {
    const std::vector<trace::EventValue> values = {{tag, value}};
    ASSERT_TRUE(file.add(1000.0 + static_cast<double>(step), step, values).ok());
    ASSERT_TRUE(file.flush().ok());
  }

  // rank, step, mode, name, kind, value
  using Row = std::tuple<uint32_t, uint64_t, int, std::string, trace::Kind, double>;
  std::vector<Row> rows() {
    auto tail = trace::TraceTail::open(intent_.attempt_dir + "/trace").value();
    trace::StepAssembler assembler;
    for (const trace::RankRecord& record : tail.poll().records) assembler.add(record.rank, record.record, 0);
    std::vector<Row> out;
    for (const trace::Step& step : assembler.finish()) {
      incarnation_ = step.incarnation;
      for (const trace::Observation& seen : step.observations) {
        const trace::SeriesInfo& info = (*step.series)[seen.series];
        out.emplace_back(seen.rank, step.step, step.mode, info.name, info.kind, *seen.scalar());
      }
    }
    EXPECT_EQ(tail.anomalies(), trace::Anomalies());
    return out;
  }

  TempDir temp_ = TempDir::create("pawl-event-files").value();
  EventLoop loop_;
  Intent intent_;
  uint64_t incarnation_ = 0;
};

constexpr auto kLoss = trace::Kind::loss;
constexpr auto kScalar = trace::Kind::scalar;

TEST_F(EventFilesTest, FilesThatAppearAndGrow) {
  EventFiles events(loop_, intent_);
  events.read_all();
  EXPECT_THAT(events.notes(), ElementsAre(HasSubstr("no event file was written at 'runs/*'")));
  auto train = file("runs/now/events.out.tfevents.1");
  auto test = file("runs/now/test/a/tfevents");
  auto beside = file("elsewhere/now/tfevents");
  auto other = file("runs/now/events.txt");
  say(beside, 0, "loss", 9);
  say(other, 0, "loss", 9);
  say(train, 0, "loss", 1);
  say(train, 1, "loss", 0.5);
  events.read_all();
  say(test, 1, "auc", 0.75);
  say(train, 1, "lr", 0.25);
  say(train, 3, "loss", 0.125);
  events.read_all();
  events.read_all();
  EXPECT_THAT(rows(),
              UnorderedElementsAre(Row(0, 0, 0, "loss", kLoss, 1), Row(0, 1, 0, "loss", kLoss, 0.5),
                                   Row(0, 1, 1, "test/a/auc", kScalar, 0.75),
                                   Row(0, 1, 0, "lr", kScalar, 0.25), Row(0, 3, 0, "loss", kLoss, 0.125)));
  EXPECT_EQ(incarnation_, 0u);
  EXPECT_THAT(events.notes(), IsEmpty());
}

TEST_F(EventFilesTest, WhatWasThereIsOfAnEarlierAttempt) {
  auto old = file("runs/a/tfevents.1");
  say(old, 0, "loss", 1);
  EventFiles events(loop_, intent_);
  events.read_all();
  EXPECT_THAT(rows(), IsEmpty());
  EXPECT_THAT(events.notes(), ElementsAre(HasSubstr("no event file was written")));
  say(old, 1, "loss", 2);
  events.read_all();
  EXPECT_THAT(rows(), ElementsAre(Row(0, 1, 0, "loss", kLoss, 2)));
  auto anew = file("runs/a/tfevents.1");  // another file in its place
  say(anew, 2, "loss", 3);
  events.read_all();
  EXPECT_THAT(rows(), ElementsAre(Row(0, 1, 0, "loss", kLoss, 2), Row(0, 2, 0, "loss", kLoss, 3)));
}

TEST_F(EventFilesTest, FilesOfRanks) {
  intent_.ranks = 2;
  intent_.event_files = "logs/rank$RANK";
  EventFiles events(loop_, intent_);
  for (uint64_t rank : {0, 1, 2}) {
    auto log = file("logs/rank" + std::to_string(rank) + "/tfevents");
    say(log, 5, "loss", static_cast<double>(rank));
  }
  events.read_all();
  EXPECT_THAT(rows(), ElementsAre(Row(0, 5, 0, "loss", kLoss, 0), Row(1, 5, 0, "loss", kLoss, 1)));
}

TEST_F(EventFilesTest, GoesBackOnlyWhenAFileSaysSo) {
  EventFiles events(loop_, intent_);
  auto log = file("runs/a/tfevents");
  say(log, 7, "loss", 7);
  events.read_all();
  say(log, 3, "loss", 3);
  events.read_all();
  EXPECT_THAT(rows(), UnorderedElementsAre(Row(0, 3, 0, "loss", kLoss, 3), Row(0, 7, 0, "loss", kLoss, 7)));
  EXPECT_EQ(incarnation_, 0u);
  say(log, 8, "loss", 8);
  ASSERT_TRUE(log.restart(1000, 4).ok());
  say(log, 4, "loss", 4);
  events.read_all();
  (void)rows();
  EXPECT_EQ(incarnation_, 1u);
}

TEST_F(EventFilesTest, LeavesARankAloneThatIsRecorded) {
  EventFiles events(loop_, intent_);
  auto log = file("runs/a/tfevents");
  {
    auto hook = trace::SegmentWriter::open(intent_.attempt_dir + "/trace", 0, 1, "hook");
    ASSERT_TRUE(hook.ok());
    say(log, 0, "loss", 1);
    events.read_all();  // while it has the rank
    EXPECT_THAT(events.notes(), ElementsAre(HasSubstr("another process records the rank")));
  }
  EXPECT_THAT(rows(), IsEmpty());

  EventFiles later(loop_, intent_);
  {
    auto hook = trace::SegmentWriter::open(intent_.attempt_dir + "/trace", 0, 1, "hook").value();
    ASSERT_TRUE(hook.add({0, false, false, {}, {{"loss", kLoss, 5}}}).ok());
    ASSERT_TRUE(hook.close().ok());
  }
  say(log, 1, "loss", 1);
  later.read_all();  // after it
  EXPECT_THAT(later.notes(), ElementsAre(HasSubstr("another process records the rank")));
  EXPECT_THAT(rows(), ElementsAre(Row(0, 0, 0, "loss", kLoss, 5)));
}

TEST_F(EventFilesTest, NothingInTheCheckoutIsTrusted) {
  intent_.event_files = "runs";
  EventFiles events(loop_, intent_);
  auto log = file("runs/tfevents.good");
  say(log, 0, "loss", 1);
  say(log, 1, std::string(5000, 'x'), 1);
  for (const char* name : {"text", "texts"})
    ASSERT_TRUE(write_file_atomic(intent_.source_dir + "/runs/tfevents." + name, "loss is low today").ok());
  ASSERT_EQ(::symlink("/", (intent_.source_dir + "/runs/root").c_str()), 0);
  ASSERT_EQ(::symlink("tfevents.good", (intent_.source_dir + "/runs/tfevents.link").c_str()), 0);
  ASSERT_EQ(::mkfifo((intent_.source_dir + "/runs/tfevents.fifo").c_str(), 0600), 0);
  events.read_all();
  EXPECT_THAT(rows(), ElementsAre(Row(0, 0, 0, "loss", kLoss, 1)));
  EXPECT_THAT(
      events.notes(),
      ElementsAre("the event file runs/tfevents.text is damaged: its end is not read (1 more are, too)",
                  HasSubstr("1 records of event files are damaged")));
}

// Terabytes of nothing, and a length that says so.
TEST_F(EventFilesTest, AFileWithHolesIsNotReadThrough) {
  constexpr uint64_t kLength = uint64_t{1} << 43;
  EventFiles events(loop_, intent_);
  (void)file("runs/a/tfevents");
  const std::string length(reinterpret_cast<const char*>(&kLength), sizeof kLength);
  const uint32_t crc = wire::crc32c(length.data(), length.size());
  const uint32_t masked = ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
  const std::string head = length + std::string(reinterpret_cast<const char*>(&masked), sizeof masked);
  const std::string path = intent_.source_dir + "/runs/a/tfevents";
  ASSERT_TRUE(write_file_atomic(path, head).ok());
  const auto behind = static_cast<off_t>(head.size() + kLength + 4);
  if (::truncate(path.c_str(), behind / 2) != 0) GTEST_SKIP() << "no such large file here";
  events.read_all();  // clipped to what is there
  ASSERT_EQ(::truncate(path.c_str(), behind), 0);
  events.read_all();
  std::string event;
  trace::append_tfrecord(event, "no event at all \xff");
  UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  ASSERT_EQ(::pwrite(fd.get(), event.data(), event.size(), behind), static_cast<ssize_t>(event.size()));
  events.read_all();
  EXPECT_THAT(events.notes(), ElementsAre(HasSubstr("1 records of event files are damaged")));
}

TEST_F(EventFilesTest, AsManyFilesAsAreFollowed) {
  for (int i = 0; i < 300; ++i) (void)file(fmt::format("runs/old/tfevents.{}", i));
  EventFiles events(loop_, intent_);
  for (int i = 0; i < 256; ++i) {
    auto log = file(fmt::format("runs/a/tfevents.{:03}", i));
    say(log, static_cast<uint64_t>(i), "loss", 1);
  }
  events.read_all();
  EXPECT_THAT(rows(), SizeIs(256)) << "old files do not count";
  EXPECT_THAT(events.notes(), IsEmpty());
  auto log = file("runs/a/tfevents.256");
  say(log, 1000, "loss", 1);
  events.read_all();
  EXPECT_THAT(rows(), SizeIs(256));
  EXPECT_THAT(events.notes(), ElementsAre("more than 256 event files at 'runs/*': the others were not read"));
}

}  // namespace
}  // namespace pawl::supervise
