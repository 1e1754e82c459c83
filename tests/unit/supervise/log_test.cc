#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <random>

#include "engine/base/files.h"
#include "engine/supervise/log_index.h"
#include "engine/supervise/log_writer.h"

namespace pawl::supervise {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr uint64_t kNoCap = UINT64_MAX;

class LogTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::make_unique<TempDir>(TempDir::create("pawl-log").value());
    path_ = folder_->path();
  }
  LogWriter writer(uint64_t cap = kNoCap) { return LogWriter::open(path_, cap).value(); }
  std::string file() { return read_file(path_ + "/log", 1 << 30).value(); }
  std::vector<LogEntry> entries() {
    LogReader reader = LogReader::open(path_).value();
    return reader.entries(0, reader.count().value()).value();
  }
  // "rank stream flags text" of every entry.
  std::vector<std::string> pieces() {
    LogReader reader = LogReader::open(path_).value();
    std::vector<std::string> out;
    for (const LogEntry& entry : entries()) {
      out.push_back(std::to_string(entry.rank) + " " + std::to_string(entry.stream) + " " +
                    std::to_string(entry.flags) + " " + reader.bytes(entry).value());
    }
    return out;
  }

  std::unique_ptr<TempDir> folder_;
  std::string path_;
};

TEST_F(LogTest, RanksAreInterleavedByLine) {
  LogWriter log = writer();
  log.append(0, 1, "one, ", 10);
  log.append(1, 1, "other\nnext ", 20);
  log.append(0, 1, "two\n", 30);
  log.append(0, 2, "warning\n", 40);
  log.finish(1, 1, 50);
  EXPECT_EQ(file(), "other\none, two\nwarning\nnext ");
  EXPECT_THAT(pieces(), ElementsAre("1 1 0 other\n", "0 1 0 one, two\n", "0 2 0 warning\n", "1 1 1 next "));
  EXPECT_EQ(entries()[0].unix_ms, 20u);
  EXPECT_EQ(entries()[3].offset, 23u);
}

TEST_F(LogTest, WholeLinesTravelTogether) {
  LogWriter log = writer();
  log.append(0, 1, "a\nb\nc\nd", 1);
  log.append(0, 1, "\n", 2);
  EXPECT_THAT(pieces(), ElementsAre("0 1 0 a\nb\nc\n", "0 1 0 d\n"));
}

TEST_F(LogTest, AProgressBarIsSeenWhileItMoves) {
  LogWriter log = writer();
  log.append(0, 2, "\r 10%", 1);
  log.append(0, 2, "\r 20%", 2);
  log.append(0, 2, "\rdone\r", 3);
  log.append(0, 2, "\n", 4);  // "\r\n" stays in one piece
  EXPECT_THAT(pieces(), ElementsAre("0 2 0 \r", "0 2 0  10%\r", "0 2 0  20%\r", "0 2 0 done\r\n"));
}

TEST_F(LogTest, ALongLineIsCut) {
  LogWriter log = writer();
  std::string line(kMaxPiece * 2 + 100, 'x');
  for (size_t at = 0; at < line.size(); at += 1000)
    log.append(0, 1, std::string_view(line).substr(at, 1000), 1);
  log.append(0, 1, "\nshort\n", 2);
  EXPECT_EQ(file(), line + "\nshort\n");
  for (const LogEntry& entry : entries()) EXPECT_LE(entry.length, kMaxPiece);
  EXPECT_EQ(entries().front().flags, LogEntry::kOpenEnd);
  EXPECT_EQ(entries().back().flags, 0);
}

TEST_F(LogTest, BytesOfEachStreamAreExactHoweverTheyWereCut) {
  std::mt19937 random(7);
  std::map<std::pair<int, int>, std::string> sent;
  {
    LogWriter log = writer();
    for (int i = 0; i < 3000; ++i) {
      int rank = static_cast<int>(random() % 3);
      int stream = 1 + static_cast<int>(random() % 2);
      std::string bytes(random() % 300, '\0');
      if (random() % 100 == 0) bytes.resize(random() % 200'000);
      for (char& c : bytes)
        c = static_cast<char>(random() % 40 == 0 ? '\n' : random() % 50 == 0 ? '\r' : random());
      log.append(rank, stream, bytes, i);
      sent[{rank, stream}] += bytes;
    }
    for (const auto& [key, text] : sent) log.finish(key.first, key.second, 9999);
    EXPECT_EQ(log.lost_bytes(), 0u);
    EXPECT_EQ(log.size(), file().size());
  }
  std::map<std::pair<int, int>, std::string> found;
  LogReader reader = LogReader::open(path_).value();
  uint64_t offset = 0;
  for (const LogEntry& entry : entries()) {
    EXPECT_EQ(entry.offset, offset);
    EXPECT_LE(entry.length, kMaxPiece);
    offset += entry.length;
    found[{entry.rank, entry.stream}] += reader.bytes(entry).value();
  }
  EXPECT_EQ(offset, file().size());
  EXPECT_TRUE(found == sent);
}

TEST_F(LogTest, TheCapIsCounted) {
  LogWriter log = writer(10);
  log.append(0, 1, "12345\n", 1);
  log.append(0, 1, "67890\n", 2);
  log.append(0, 1, "more\n", 3);
  EXPECT_EQ(file(), "12345\n6789");
  EXPECT_EQ(log.lost_bytes(), 7u);
  EXPECT_EQ(log.first_error(), "");
  EXPECT_EQ(entries().back().flags, LogEntry::kOpenEnd | LogEntry::kLossAfter);
}

TEST_F(LogTest, AFullDiskIsCountedAndNothingElse) {
  ASSERT_EQ(symlink("/dev/full", (path_ + "/log").c_str()), 0);
  LogWriter log = writer();
  log.append(0, 1, "12345\n", 1);
  log.append(0, 1, "more\n", 3);
  EXPECT_EQ(log.lost_bytes(), 11u);
  EXPECT_THAT(log.first_error(), HasSubstr("No space left"));
  EXPECT_THAT(entries(), IsEmpty());
}

TEST_F(LogTest, AFullDiskForTheIndexLeavesItWhole) {
  ASSERT_EQ(symlink("/dev/full", (path_ + "/log.idx").c_str()), 0);
  LogWriter log = writer();
  log.append(0, 1, "12345\n", 1);
  EXPECT_EQ(log.lost_bytes(), 6u);
  EXPECT_THAT(log.first_error(), HasSubstr("log.idx"));
}

TEST_F(LogTest, ASecondStartAppends) {
  writer().append(0, 1, "first\n", 1);
  // The first start was killed in the middle of an entry.
  UniqueFd index(open((path_ + "/log.idx").c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
  ASSERT_EQ(write(index.get(), "torn", 4), 4);
  writer().append(1, 1, "second\n", 2);
  EXPECT_THAT(pieces(), ElementsAre("0 1 0 first\n", "1 1 0 second\n"));
}

TEST_F(LogTest, ReaderFindsItsPlace) {
  LogWriter log = writer();
  for (int i = 0; i < 100; ++i) log.append(0, 1, "line " + std::to_string(i) + "\n", i);
  LogReader reader = LogReader::open(path_).value();
  EXPECT_EQ(reader.count().value(), 100u);
  EXPECT_EQ(reader.find_offset(0).value(), 0u);
  std::vector<LogEntry> all = reader.entries(0, 1000).value();
  EXPECT_EQ(reader.find_offset(all[41].offset).value(), 41u);
  EXPECT_EQ(reader.find_offset(all[41].offset + 1).value(), 41u);
  EXPECT_EQ(reader.find_offset(1'000'000).value(), 100u);
  EXPECT_EQ(reader.find_tail(3).value(), 97u);
  EXPECT_EQ(reader.find_tail(1000).value(), 0u);
  EXPECT_EQ(reader.find_tail(0).value(), 100u);
  EXPECT_THAT(reader.entries(100, 10).value(), IsEmpty());
  EXPECT_EQ(reader.entries(95, 3).value().size(), 3u);
  log.append(0, 1, "new\n", 200);
  EXPECT_EQ(reader.bytes(reader.entries(100, 10).value().at(0)).value(), "new\n");
}

TEST_F(LogTest, ReaderDistrustsItsFiles) {
  EXPECT_EQ(LogReader::open(path_).error().code(), ErrorCode::not_found);
  writer().append(0, 1, "text\n", 1);
  LogEntry wrong{1'000'000, 0, 5, 0, 1, 0};
  LogEntry huge{0, 0, 0xffffffff, 0, 1, 0};
  UniqueFd index(open((path_ + "/log.idx").c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
  ASSERT_EQ(write(index.get(), &wrong, sizeof wrong), 24);
  LogReader reader = LogReader::open(path_).value();
  EXPECT_FALSE(reader.bytes(reader.entries(1, 1).value()[0]).ok());
  ASSERT_EQ(write(index.get(), &huge, sizeof huge), 24);
  EXPECT_FALSE(reader.entries(2, 1).ok());
  EXPECT_FALSE(reader.bytes(huge).ok());
}

}  // namespace
}  // namespace pawl::supervise
