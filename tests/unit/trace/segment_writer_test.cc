#include "engine/trace/segment_writer.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/file.h>

#include <cmath>

#include "engine/base/files.h"
#include "engine/trace/steps.h"
#include "engine/trace/tail.h"
#include "tests/unit/trace/segment_builder.h"

namespace pawl::trace {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class SegmentWriterTest : public testing::Test {
 protected:
  SegmentWriter open(const std::string& producer = "test", uint32_t world_size = 1) {
    auto writer = SegmentWriter::open(dir(), 0, world_size, producer);
    EXPECT_TRUE(writer.ok()) << writer.error().to_string();
    return std::move(*writer);
  }
  // One short writer, as a call of `pawl log` is.
  void write(uint64_t step, double loss, bool unordered = true, bool eval = false) {
    SegmentWriter writer = open();
    ASSERT_TRUE(writer.add({step, eval, unordered, {}, {{"loss", Kind::loss, loss}}}).ok());
    ASSERT_TRUE(writer.close().ok());
  }
  std::vector<std::string> segments() {
    std::vector<std::string> out;
    for (const DirEntry& entry : list_dir(folder()).value()) {
      if (entry.name != "lock") out.push_back(entry.name);
    }
    return out;
  }
  std::vector<Step> steps() {
    TraceTail tail = TraceTail::open(dir()).value();
    for (const RankRecord& record : tail.poll().records) assembler_.add(record.rank, record.record, 0);
    for (const RankRecord& record : tail.finish()) assembler_.add(record.rank, record.record, 0);
    EXPECT_EQ(tail.anomalies(), Anomalies());
    return assembler_.finish();
  }
  std::optional<uint64_t> last() { return open().last_training_step().value(); }
  const std::string& dir() const { return temp_.path(); }
  std::string folder() const { return dir() + "/rank-00000"; }

  TempDir temp_ = TempDir::create("pawl-writer").value();
  StepAssembler assembler_;
};

TEST_F(SegmentWriterTest, ShortWritersShareOneSegment) {
  for (uint64_t step = 0; step < 300; ++step) write(step, static_cast<double>(step));
  write(299, std::nan(""));
  EXPECT_THAT(segments(), ElementsAre("000001.seg"));
  EXPECT_EQ(last(), 299u);
  const auto seen = steps();
  ASSERT_THAT(seen, SizeIs(300));
  EXPECT_EQ(*seen[7].observations.at(0).scalar(), 7.0);
  EXPECT_EQ((*seen[7].series)[0].name, "loss");
  EXPECT_EQ((*seen[7].series)[0].kind, Kind::loss);
  ASSERT_THAT(seen[299].observations, SizeIs(2));
  EXPECT_TRUE(std::isnan(*seen[299].observations[1].scalar()));
  EXPECT_THAT(seen[299].missing_ranks, IsEmpty());
  EXPECT_TRUE(assembler_.progress()[0].ended) << "nobody waits for the next call";
}

TEST_F(SegmentWriterTest, LastStepIsThatOfTraining) {
  EXPECT_EQ(last(), std::nullopt);
  EXPECT_THAT(segments(), IsEmpty()) << "nothing was added";
  write(4, 1);
  write(9, 1, true, true);
  EXPECT_EQ(last(), 4u);
  write(2, 1, false);
  EXPECT_EQ(last(), 2u) << "it went back";
}

TEST_F(SegmentWriterTest, GoesOnBehindAnotherProducer) {
  {
    SegmentWriter hook = open("hook");
    ASSERT_TRUE(hook.add({7, false, false, {}, {{"loss", Kind::loss, 1}}}).ok());
    ASSERT_TRUE(hook.close().ok());
  }
  EXPECT_TRUE(open().follows_another());
  EXPECT_EQ(last(), 7u);
  write(8, 2);
  EXPECT_THAT(segments(), ElementsAre("000001.seg", "000002.seg"));
  EXPECT_FALSE(open().follows_another());
  EXPECT_THAT(steps(), SizeIs(2));
}

TEST_F(SegmentWriterTest, NothingIsAddedToATornSegment) {
  write(0, 1);
  const std::string path = folder() + "/000001.seg";
  std::string bytes = read_file(path, 1 << 20).value();
  UniqueFd fd(::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
  ASSERT_TRUE(write_all(fd.get(), bytes.substr(0, 50)).ok());
  write(1, 2);
  EXPECT_THAT(segments(), ElementsAre("000001.seg", "000002.seg"));
  EXPECT_EQ(last(), 1u);
}

TEST_F(SegmentWriterTest, AnEmptySegmentIsOfNobody) {
  write(0, 1);
  ASSERT_TRUE(write_file_atomic(folder() + "/000002.seg", "").ok());
  EXPECT_FALSE(open().follows_another());
  write(1, 2);
  EXPECT_THAT(segments(), ElementsAre("000001.seg", "000002.seg", "000003.seg"));
  EXPECT_EQ(last(), 1u);
}

TEST_F(SegmentWriterTest, OneAtATime) {
  SegmentWriter first = open();
  auto second = SegmentWriter::open(dir(), 0, 1, "test");
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code(), ErrorCode::conflict);
  EXPECT_THAT(second.error().message(), HasSubstr("another process records"));
}

TEST_F(SegmentWriterTest, TimesAreThoseOfTheEvents) {
  SegmentWriter writer = open();
  ASSERT_TRUE(writer.add({0, false, false, 1'700'000'000.5, {{"x", Kind::scalar, 1}}}).ok());
  ASSERT_TRUE(writer.add({1, false, false, 1'700'000'002.5, {{"x", Kind::scalar, 1}}}).ok());
  ASSERT_TRUE(writer.add({2, false, false, std::nan(""), {{"x", Kind::scalar, 1}}}).ok());
  ASSERT_TRUE(writer.close().ok());
  const auto seen = steps();
  ASSERT_THAT(seen, SizeIs(3));
  EXPECT_DOUBLE_EQ(seen[0].wall_time, 1'700'000'000.5);
  EXPECT_DOUBLE_EQ(seen[1].wall_time, 1'700'000'002.5);
  EXPECT_GT(seen[2].wall_time, 1'700'000'003.0) << "not a time: now";
}

}  // namespace
}  // namespace pawl::trace
