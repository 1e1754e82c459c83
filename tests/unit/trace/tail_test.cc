#include "engine/trace/tail.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/trace/segment_builder.h"

namespace pawl::trace {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;

class Tail : public testing::Test {
 protected:
  Tail() : dir_(TempDir::create("pawl-tail").value()) {}

  std::string rank_dir(const std::string& name) {
    const std::string path = dir_.path() + "/" + name;
    EXPECT_TRUE(make_dirs(path).ok());
    return path;
  }
  void append(const std::string& path, std::string_view bytes) {
    const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666));
    ASSERT_TRUE(fd);
    ASSERT_TRUE(write_all(fd.get(), bytes).ok());
  }
  static bool readable(int fd) {
    pollfd wait{fd, POLLIN, 0};
    return ::poll(&wait, 1, 0) == 1;
  }
  // (rank, step) of all step ends.
  static std::vector<std::pair<uint32_t, uint64_t>> ends(const std::vector<RankRecord>& records) {
    std::vector<std::pair<uint32_t, uint64_t>> out;
    for (const auto& record : records) {
      if (const auto* end = std::get_if<StepEnd>(&record.record)) out.emplace_back(record.rank, end->step);
    }
    return out;
  }
  TraceTail open() { return TraceTail::open(dir_.path()).value(); }

  TempDir dir_;
};

std::string step(uint64_t number) {
  return std::string(SegmentBuilder().begin(number).end(number).text());
}

TEST_F(Tail, AMissingFolderIsAnError) {
  const auto tail = TraceTail::open(dir_.path() + "/none");
  ASSERT_FALSE(tail.ok());
  EXPECT_THAT(tail.error().to_string(), testing::HasSubstr("/none"));
}

TEST_F(Tail, FilesAppearAndGrow) {
  auto tail = open();
  ASSERT_GE(tail.fd(), 0);
  EXPECT_THAT(tail.poll().records, IsEmpty());
  EXPECT_FALSE(readable(tail.fd()));
  const std::string rank0 = rank_dir("rank-00000");
  append(rank0 + "/000001.seg", step(0));
  EXPECT_TRUE(readable(tail.fd()));
  EXPECT_THAT(ends(tail.poll().records), ElementsAre(Pair(0, 0)));
  append(rank0 + "/000001.seg", step(1));
  EXPECT_TRUE(readable(tail.fd()));
  EXPECT_THAT(ends(tail.poll().records), ElementsAre(Pair(0, 1)));
  append(rank_dir("rank-00001") + "/000001.seg", step(0));
  EXPECT_THAT(ends(tail.poll().records), ElementsAre(Pair(1, 0)));
  EXPECT_THAT(tail.poll().records, IsEmpty());
}

TEST_F(Tail, ARankThatComesLaterWakes) {
  auto tail = open();
  tail.poll();
  const std::string rank = rank_dir("rank-00003");
  EXPECT_TRUE(readable(tail.fd()));
  EXPECT_THAT(tail.poll().records, IsEmpty());
  EXPECT_FALSE(readable(tail.fd()));
  append(rank + "/000001.seg", step(5));
  EXPECT_TRUE(readable(tail.fd()));
  EXPECT_THAT(ends(tail.poll().records), ElementsAre(Pair(3, 5)));
}

TEST_F(Tail, RecordsInPieces) {
  auto tail = open();
  const std::string path = rank_dir("rank-00000") + "/000001.seg";
  const std::string bytes = step(0) + step(1);
  std::vector<std::pair<uint32_t, uint64_t>> seen;
  for (const char c : bytes) {
    append(path, {&c, 1});
    for (const auto& end : ends(tail.poll().records)) seen.push_back(end);
  }
  EXPECT_THAT(seen, ElementsAre(Pair(0, 0), Pair(0, 1)));
  EXPECT_EQ(tail.anomalies(), Anomalies());
}

TEST_F(Tail, SegmentsInTheOrderOfTheirNumbers) {
  const std::string rank = rank_dir("rank-00000");
  for (const char* name : {"/000010.seg", "/000002.seg", "/000001.seg"}) {
    append(rank + name, step(std::stoul(std::string(name + 1))));
  }
  auto tail = open();
  EXPECT_THAT(ends(tail.poll().records), ElementsAre(Pair(0, 1), Pair(0, 2), Pair(0, 10)));
  append(rank + "/000011.seg", step(11));
  EXPECT_THAT(ends(tail.poll().records), ElementsAre(Pair(0, 11)));
}

// What the writer put at the end of a segment just before it started the next is not lost.
TEST_F(Tail, TheEndOfASegmentThatWasLeft) {
  const std::string rank = rank_dir("rank-00000");
  append(rank + "/000001.seg", step(0));
  auto tail = open();
  tail.poll();
  append(rank + "/000001.seg", step(1));
  append(rank + "/000002.seg", step(2));
  EXPECT_THAT(ends(tail.poll().records), ElementsAre(Pair(0, 1), Pair(0, 2)));
}

TEST_F(Tail, ATornSegmentIsFollowedByTheNext) {
  const std::string rank = rank_dir("rank-00000");
  const std::string whole = step(0) + step(1);
  append(rank + "/000001.seg", whole.substr(0, whole.size() - 5));
  auto tail = open();
  EXPECT_THAT(ends(tail.poll().records), ElementsAre(Pair(0, 0)));
  EXPECT_EQ(tail.anomalies().skipped_bytes, 0u);  // it may still grow
  append(rank + "/000002.seg", step(1));
  EXPECT_THAT(ends(tail.poll().records), ElementsAre(Pair(0, 1)));
  EXPECT_GT(tail.anomalies().skipped_bytes, 0u);
}

TEST_F(Tail, FinishCountsATornEnd) {
  const std::string whole = step(0);
  append(rank_dir("rank-00000") + "/000001.seg", whole.substr(0, whole.size() - 1));
  auto tail = open();
  tail.poll();
  EXPECT_THAT(tail.finish(), IsEmpty());
  EXPECT_EQ(tail.anomalies().skipped_bytes, 16u + 24 - 1);
}

TEST_F(Tail, BoundedAndFair) {
  std::string many;
  for (uint64_t i = 0; i < 3000; ++i) many += step(i);
  append(rank_dir("rank-00000") + "/000001.seg", many);
  append(rank_dir("rank-00001") + "/000001.seg", many);
  auto tail = open();
  auto batch = tail.poll(16384);
  EXPECT_TRUE(batch.more);
  uint64_t by_rank[2] = {};
  for (const auto& [rank, number] : ends(batch.records)) ++by_rank[rank];
  EXPECT_GT(by_rank[0], 0u);
  EXPECT_EQ(by_rank[0], by_rank[1]);
  EXPECT_LE(batch.records.size(), 16384u / 40);
  size_t total = ends(batch.records).size();
  while (batch.more) {
    batch = tail.poll(16384);
    total += ends(batch.records).size();
  }
  EXPECT_EQ(total, 6000u);
}

TEST_F(Tail, HostileNames) {
  for (const char* name : {"rank-", "rank-0", "rank-000000", "rank-00000x", "rank--0001", "rank-99999999999",
                           "rank-0x001", " rank-00000", "rank-00001 "}) {
    append(rank_dir(name) + "/000001.seg", step(1));
  }
  const std::string good = rank_dir("rank-00000");
  for (const char* name : {"1.seg", "000000.seg", "0000001.seg", "000001.seg~", "000001", "-00001.seg",
                           ".seg", "99999999999.seg"}) {
    append(good + "/" + name, step(1));
  }
  auto tail = open();
  EXPECT_THAT(tail.poll().records, IsEmpty());
}

TEST_F(Tail, LinksFifosAndFoldersAreNotFollowed) {
  const TempDir elsewhere = TempDir::create("pawl-elsewhere").value();
  append(elsewhere.path() + "/000001.seg", step(1));
  ASSERT_EQ(::symlink(elsewhere.path().c_str(), (dir_.path() + "/rank-00001").c_str()), 0);
  append(dir_.path() + "/rank-00002", "a file");
  const std::string rank = rank_dir("rank-00000");
  ASSERT_EQ(::symlink((elsewhere.path() + "/000001.seg").c_str(), (rank + "/000001.seg").c_str()), 0);
  ASSERT_EQ(::mkfifo((rank + "/000002.seg").c_str(), 0666), 0);
  ASSERT_TRUE(make_dirs(rank + "/000003.seg").ok());
  auto tail = open();
  EXPECT_THAT(tail.poll().records, IsEmpty());
  append(rank + "/000004.seg", step(4));  // what comes after them is read
  EXPECT_THAT(ends(tail.poll().records), ElementsAre(Pair(0, 4)));
}

TEST_F(Tail, ATruncatedOrDeletedFile) {
  const std::string path = rank_dir("rank-00000") + "/000001.seg";
  append(path, step(0) + step(1));
  auto tail = open();
  EXPECT_THAT(ends(tail.poll().records), SizeIs(2));
  ASSERT_EQ(::truncate(path.c_str(), 10), 0);
  EXPECT_THAT(tail.poll().records, IsEmpty());
  ASSERT_EQ(::unlink(path.c_str()), 0);
  EXPECT_THAT(tail.poll().records, IsEmpty());
  append(dir_.path() + "/rank-00000/000002.seg", step(2));
  EXPECT_THAT(ends(tail.poll().records), ElementsAre(Pair(0, 2)));
}

TEST_F(Tail, RankComesFromTheFolderNotFromTheHeader) {
  append(rank_dir("rank-00002") + "/000001.seg", SegmentBuilder().header(7, 8).text());
  auto tail = open();
  const auto batch = tail.poll();
  ASSERT_THAT(batch.records, SizeIs(1));
  EXPECT_EQ(batch.records[0].rank, 2u);
}

}  // namespace
}  // namespace pawl::trace
