#include "engine/trace/segment_retention.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "engine/base/files.h"
#include "tests/unit/trace/segment_builder.h"

namespace pawl::trace {
namespace {

class SegmentRetentionTest : public testing::Test {
 protected:
  SegmentRetentionTest()
      : dir_(TempDir::create("pawl-segments").value()), folder_(dir_.path() + "/rank-00000") {
    EXPECT_TRUE(make_dirs(folder_).ok());
  }
  void write(uint32_t number, uint64_t step) {
    SegmentBuilder segment;
    segment.header(0, 1, 1, number).begin(step).end(step);
    bytes_ = segment.text().size();
    ASSERT_TRUE(write_file_atomic(fmt::format("{}/{:06}.seg", folder_, number), segment.text()).ok());
  }
  std::vector<std::string> files() {
    std::vector<std::string> names;
    for (const DirEntry& entry : list_dir(folder_).value()) names.push_back(entry.name);
    std::ranges::sort(names);
    return names;
  }
  static std::vector<RankProgress> progress(uint64_t completed) {
    RankProgress rank;
    rank.completed = completed;
    return {rank};
  }

  TempDir dir_;
  std::string folder_;
  uint64_t bytes_ = 0;  // of a segment
};

TEST_F(SegmentRetentionTest, TheOldestGoOnceTheirStepsAreCompletedAndTheNewestStays) {
  for (uint32_t number = 1; number <= 4; ++number) write(number, number);
  TraceTail tail = TraceTail::open(dir_.path()).value();
  tail.poll();
  const auto left = tail.take_finished();
  ASSERT_EQ(left.size(), 3u);
  EXPECT_EQ(left[0].number, 1u);
  EXPECT_EQ(left[0].bytes, bytes_);
  EXPECT_TRUE(tail.take_finished().empty());

  SegmentRetention retention(2 * bytes_);
  retention.add(left, progress(4));
  EXPECT_FALSE(retention.trim(tail, progress(4))) << "the next step may have begun in one of them";
  EXPECT_EQ(files().size(), 4u);
  EXPECT_TRUE(retention.trim(tail, progress(5)));
  EXPECT_EQ(files(), (std::vector<std::string>{"000002.seg", "000003.seg", "000004.seg"}));
  EXPECT_FALSE(retention.trim(tail, progress(9))) << "it is within the limit";

  write(5, 5);
  tail.poll();
  retention.add(tail.take_finished(), progress(9));
  EXPECT_TRUE(retention.trim(tail, progress(10)));
  EXPECT_EQ(files(), (std::vector<std::string>{"000003.seg", "000004.seg", "000005.seg"}));
}

TEST_F(SegmentRetentionTest, ASegmentThatIsGoneIsNoTrouble) {
  for (uint32_t number = 1; number <= 3; ++number) write(number, number);
  TraceTail tail = TraceTail::open(dir_.path()).value();
  tail.poll();
  SegmentRetention retention(0);
  retention.add(tail.take_finished(), progress(3));
  ASSERT_TRUE(remove_tree(folder_ + "/000001.seg").ok());
  EXPECT_TRUE(retention.trim(tail, progress(4)));
  EXPECT_EQ(files(), (std::vector<std::string>{"000003.seg"}));
}

}  // namespace
}  // namespace pawl::trace
