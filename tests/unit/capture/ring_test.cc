// Processes that are killed while they record, at every point that makes a difference: what they had recorded
// is in the segments once whoever comes next has completed them, once and whole.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <functional>
#include <map>
#include <random>
#include <thread>
#include <utility>

#include "engine/trace/collector.h"
#include "engine/trace/replay.h"
#include "hooks/capture/recovery.h"
#include "hooks/capture/ring_file.h"
#include "tests/unit/capture/capture_fixture.h"

namespace {

// What becomes of writes to files in this process; set in children only, before they open a trace.
struct Writes {
  enum class Then { go_on, die, block, fail };
  std::atomic<int64_t> allowed{INT64_MAX};  // bytes
  std::atomic<Then> then{Then::go_on};      // when they are used up
  std::atomic<int> refused{0};              // writes that found them used up
  std::atomic<bool> end_fails{false};       // the one with the end record does
};
Writes writes;
std::atomic<bool> reads_fail{false};

ssize_t no_space() {
  errno = ENOSPC;
  return -1;
}

ssize_t out_of_bytes() {
  ++writes.refused;
  if (writes.then == Writes::Then::die) ::raise(SIGKILL);
  writes.then.wait(Writes::Then::block);
  return no_space();
}

bool is_end_record(const struct iovec& part) {
  constexpr size_t kSize = pawl::wire::kFrameHeaderSize + sizeof(pawl::wire::EndPayload);
  if (part.iov_len < kSize) return false;
  pawl::wire::FrameHeader header;
  std::memcpy(&header, static_cast<const char*>(part.iov_base) + part.iov_len - kSize, sizeof header);
  return header.sync == pawl::wire::kSync &&
         header.type == static_cast<uint16_t>(pawl::wire::RecordType::end);
}

}  // namespace

// In the place of those of libc, for the capture library and for whoever completes its segments. One call of
// writev writes from one part only, as the kernel may choose to.
extern "C" ssize_t write(int fd, const void* data, size_t size) {
  if (writes.then == Writes::Then::go_on) return ::syscall(SYS_write, fd, data, size);
  const auto most = std::min<int64_t>(writes.allowed, static_cast<int64_t>(size));
  if (most == 0) return out_of_bytes();
  const ssize_t written = ::syscall(SYS_write, fd, data, static_cast<size_t>(most));
  writes.allowed -= std::max<ssize_t>(written, 0);
  return written;
}

extern "C" ssize_t writev(int fd, const struct iovec* parts, int count) {
  if (writes.end_fails && is_end_record(parts[count - 1])) return no_space();
  if (writes.then == Writes::Then::go_on) return ::syscall(SYS_writev, fd, parts, count);
  for (int i = 0; i < count; ++i) {
    if (parts[i].iov_len > 0) return ::write(fd, parts[i].iov_base, parts[i].iov_len);
  }
  return 0;
}

extern "C" ssize_t pread(int fd, void* data, size_t size, off_t offset) {
  if (!reads_fail) return ::syscall(SYS_pread64, fd, data, size, offset);
  errno = EIO;
  return -1;
}

namespace pawl::capture {
namespace {

using testing::ElementsAreArray;
using testing::SizeIs;
using Then = Writes::Then;

// The records that a rank makes for itself, without their times.
std::vector<std::string> names_of(const std::vector<trace::Record>& records) {
  std::vector<std::string> out;
  for (const auto& record : records) {
    if (const auto* series = std::get_if<trace::SeriesDeclaration>(&record))
      out.push_back("series " + series->name);
    if (const auto* series = std::get_if<trace::Available>(&record))
      out.push_back("available " + series->name);
    if (const auto* step = std::get_if<trace::StepBegin>(&record))
      out.push_back("begin " + std::to_string(step->step));
    if (const auto* step = std::get_if<trace::StepEnd>(&record))
      out.push_back("end " + std::to_string(step->step));
    if (const auto* value = std::get_if<trace::ScalarValue>(&record)) {
      out.push_back("value " + std::to_string(static_cast<int>(value->value)));
    }
  }
  return out;
}

std::vector<std::string> without_declarations(std::vector<std::string> names) {
  std::erase_if(names, [](const std::string& name) {
    return name.starts_with("series") || name.starts_with("available");
  });
  return names;
}

std::vector<std::string> steps(uint64_t from, uint64_t to) {
  std::vector<std::string> out;
  for (uint64_t step = from; step < to; ++step) {
    for (const char* what : {"begin ", "value ", "end "}) out.push_back(what + std::to_string(step));
  }
  return out;
}

class CaptureRing : public CaptureTest {
 protected:
  // Steps that were ended, whatever has become of the process that did.
  CaptureRing()
      : ended_(static_cast<std::atomic<uint64_t>*>(
            ::mmap(nullptr, sizeof *ended_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))) {}
  ~CaptureRing() override { ::munmap(ended_, sizeof *ended_); }

  std::string ring() const { return rank_dir() + "/ring"; }
  std::string damaged_ring() const { return rank_dir() + "/ring.damaged"; }

  // A child that does `work` and is killed, by itself if by nobody else before.
  void killed(const std::function<void()>& work) {
    const pid_t pid = ::fork();
    if (pid == 0) {
      work();
      ::raise(SIGKILL);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(pid, &status, 0), pid);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;
  }

  void record(pawl_capture* capture, uint32_t id, uint64_t from, uint64_t to) const {
    for (uint64_t step = from; step < to; ++step) {
      pawl_capture_step_begin(capture, step, 0);
      pawl_capture_scalar(capture, id, static_cast<double>(step));
      pawl_capture_step_end(capture);
      *ended_ = step + 1;
    }
  }

  const wire::RingPage& page() {
    page_bytes_ = read_file(ring(), 64u << 20).value();
    return *reinterpret_cast<const wire::RingPage*>(page_bytes_.data());
  }

  // What is recorded in a segment was declared in it.
  void expect_segments_stand_alone() const {
    for (const std::string& name : segments()) {
      const std::string bytes = read_file(rank_dir() + "/" + name, 1u << 20).value();
      trace::Decoder decoder;
      decoder.feed({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()});
      uint32_t declared = 0;
      bool first = true;
      while (const auto record = decoder.next()) {
        EXPECT_EQ(std::holds_alternative<trace::Header>(*record), std::exchange(first, false));
        if (std::holds_alternative<trace::SeriesDeclaration>(*record)) ++declared;
        if (const auto* value = std::get_if<trace::ScalarValue>(&*record)) {
          EXPECT_LT(value->series, declared);
        }
      }
    }
  }

  bool complete() const {
    const UniqueFd dir(::open(rank_dir().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return complete_rank(dir.get());
  }

  // Without anything wrong.
  std::vector<trace::Record> read_clean() const {
    trace::Anomalies anomalies;
    auto records = read_all(&anomalies);
    EXPECT_EQ(anomalies, trace::Anomalies());
    return records;
  }

  std::vector<std::string> segments() const {
    std::vector<std::string> out;
    for (const auto& entry : list_dir(rank_dir()).value()) {
      if (entry.name.ends_with(".seg")) out.push_back(entry.name);
    }
    return out;
  }

  // The process's writer thread is stuck from the first step on; whatever it had to do is done by others.
  void leave_a_ring(uint64_t count = 20) {
    killed([&] {
      pawl_capture* capture = open();
      const uint32_t id = series(capture, "loss");
      flush(capture);
      writes.allowed = 0;
      writes.then = Then::block;
      record(capture, id, 0, count);
    });
    ASSERT_TRUE(path_exists(ring()));
  }

  using Files = std::map<std::string, std::string>;  // of the rank: name -> bytes

  Files save() const {
    Files files;
    for (const auto& entry : list_dir(rank_dir()).value()) {
      files[entry.name] = read_file(rank_dir() + "/" + entry.name, 1u << 20).value();
    }
    return files;
  }
  void restore(const Files& files) const {
    for (const auto& [name, bytes] : files) {
      // Anew: some file systems flush a file that is truncated and written again.
      ::unlink((rank_dir() + "/" + name).c_str());
      std::ofstream(rank_dir() + "/" + name, std::ios::binary) << bytes;
    }
  }

  void expect_the_same_from_every_byte(Files left, const Files& completed) const {
    const auto& page = *reinterpret_cast<const wire::RingPage*>(left["ring"].data());
    const wire::RingBatch& batch = page.batches[page.announced % 2];
    if (batch.segment == 0) return;
    const uint64_t end = batch.segment_size + batch.before_bytes + (batch.declared_to - batch.declared_from) +
                         (batch.to - batch.from) + batch.after_bytes;
    const std::string name = segments().back();
    for (uint64_t size = left[name].size(); size <= end; ++size) {
      left[name] = completed.at(name).substr(0, size);
      restore(left);
      ASSERT_TRUE(complete());
      ASSERT_EQ(save(), completed) << name << " of " << size << " bytes";
    }
  }

  std::atomic<uint64_t>* ended_;

 private:
  std::string page_bytes_;
};

TEST_F(CaptureRing, IsThereWhileAProcessRecordsAndGoneAfterwards) {
  pawl_capture* capture = open();
  EXPECT_TRUE(path_exists(ring()));
  EXPECT_FALSE(complete()) << "somebody records";
  EXPECT_TRUE(path_exists(ring()));
  pawl_capture_close(capture);
  EXPECT_FALSE(path_exists(ring()));
  EXPECT_TRUE(complete());
}

TEST_F(CaptureRing, WhatTheWriterThreadHadNoTimeFor) {
  leave_a_ring(100);
  EXPECT_THAT(without_declarations(names_of(read_clean())), SizeIs(0));
  EXPECT_TRUE(complete());
  EXPECT_FALSE(path_exists(ring()));
  auto wanted = steps(0, 100);
  wanted.insert(wanted.begin(), "series loss");
  EXPECT_EQ(names_of(read_clean()), wanted);
  EXPECT_TRUE(complete()) << "there is nothing more to do";
  EXPECT_EQ(names_of(read_clean()), wanted);
}

TEST_F(CaptureRing, TheNextProcessOfTheRankCompletesWhatWasLeft) {
  leave_a_ring(10);
  pawl_capture* capture = open();
  record(capture, series(capture, "loss"), 10, 20);
  pawl_capture_close(capture);
  const auto records = read_clean();
  EXPECT_EQ(without_declarations(names_of(records)), steps(0, 20));
  EXPECT_THAT(only<trace::Header>(records), SizeIs(2));
  EXPECT_THAT(only<trace::End>(records), SizeIs(1));
  EXPECT_FALSE(path_exists(ring()));
}

// As `pawl trace rebuild` does, when nobody else was left to do it.
TEST_F(CaptureRing, WhoReadsTheSegmentsLaterCompletesThem) {
  leave_a_ring(10);
  auto collector = trace::Collector::create(dir_.path() + "/trace.db").value();
  EXPECT_EQ(trace::replay_segments(trace_dir(), collector).value(), 10u);
  EXPECT_FALSE(path_exists(ring()));
}

TEST_F(CaptureRing, DeclarationsThatNoSegmentHasYet) {
  killed([&] {
    pawl_capture* capture = open();
    writes.allowed = 0;
    writes.then = Then::block;
    const int64_t shape[] = {3, 4};
    uint32_t id;
    pawl_capture_available(capture, "fc.weight", PAWL_GRADIENT);
    pawl_capture_series(capture, "fc.weight", PAWL_WEIGHT, PAWL_F16, shape, 2, &id);
  });
  EXPECT_TRUE(complete());
  const auto records = read_clean();
  EXPECT_THAT(only<trace::SeriesDeclaration>(records),
              testing::ElementsAre(
                  trace::SeriesDeclaration{0, trace::Kind::weight, trace::Dtype::f16, {3, 4}, "fc.weight"}));
  EXPECT_THAT(only<trace::Available>(records),
              testing::ElementsAre(trace::Available{trace::Kind::gradient, "fc.weight"}));
}

// A process is killed in the middle of each of its batches, up to the end record: all in one segment, and
// each in a segment of its own, where the declarations are repeated. From every state that leaves, all later
// bytes at which the batch could have been cut lead to the same files.
TEST_F(CaptureRing, TornAtEveryByte) {
  for (const uint64_t segment_bytes : {1u << 20, 1u}) {
    auto with = options();
    with.segment_bytes = segment_bytes;
    with.ring_bytes = 1;
    bool whole = false;
    for (int64_t cut = 0; !whole; cut += 45) {
      SCOPED_TRACE(testing::Message() << segment_bytes << " bytes a segment, cut at " << cut);
      ASSERT_TRUE(remove_tree(trace_dir()).ok());
      *ended_ = 0;
      killed([&] {
        writes.allowed = cut;
        writes.then = Then::die;
        pawl_capture* capture = open(with);
        record(capture, series(capture, "loss"), 0, 1);
        flush(capture);
        record(capture, series(capture, "late"), 1, 2);
        pawl_capture_close(capture);
      });
      whole = !path_exists(ring());
      const Files left = save();
      ASSERT_TRUE(complete());
      const auto records = read_clean();
      const auto names = without_declarations(names_of(records));
      const auto all = steps(0, 2);
      ASSERT_LE(names.size(), all.size());
      EXPECT_THAT(names, ElementsAreArray(all.begin(), all.begin() + static_cast<ptrdiff_t>(names.size())));
      EXPECT_GE(names.size(), 3 * *ended_);
      EXPECT_THAT(only<trace::Header>(records), SizeIs(segments().size()));
      expect_segments_stand_alone();
      if (!whole) expect_the_same_from_every_byte(left, save());
    }
    EXPECT_EQ(*ended_, 2u);
  }
}

TEST_F(CaptureRing, AWrappedRing) {
  auto small = options();
  small.ring_bytes = 1;
  killed([&] {
    pawl_capture* capture = open(small);
    const uint32_t id = series(capture, "loss");
    for (uint64_t step = 0; step < 200; step += 50) {
      record(capture, id, step, step + 50);  // together more than the ring
      flush(capture);
    }
    writes.allowed = 0;
    writes.then = Then::block;
    record(capture, id, 200, 300);
  });
  const uint64_t head = page().head;
  EXPECT_GT(head / page().capacity, page().batches[page().announced % 2].to / page().capacity)
      << "it has wrapped";
  EXPECT_TRUE(complete());
  EXPECT_EQ(without_declarations(names_of(read_clean())), steps(0, 300));
}

// Whoever completes the segments can be killed too, at every byte and again and again.
TEST_F(CaptureRing, CompletingThemByteByByte) {
  killed([&] {
    auto small = options();
    small.ring_bytes = 1;
    pawl_capture* capture = open(small);
    const uint32_t id = series(capture, "loss");
    record(capture, id, 0, 1);
    flush(capture);
    writes.allowed = 30;  // of the first of these steps
    writes.then = Then::block;
    record(capture, id, 1, 4);
  });
  int times = 0;
  for (; path_exists(ring()); ++times) {
    killed([&] {
      writes.allowed = 1;
      writes.then = Then::die;
      complete();
    });
  }
  EXPECT_GT(times, 300);
  EXPECT_EQ(without_declarations(names_of(read_clean())), steps(0, 4));
  expect_segments_stand_alone();
}

// What the file system refused was dropped and is not made up for; what came after it is whole.
TEST_F(CaptureRing, KilledAfterAWriteHadFailed) {
  killed([&] {
    pawl_capture* capture = open();
    const uint32_t id = series(capture, "loss");
    record(capture, id, 0, 3);
    flush(capture);
    writes.allowed = 50;
    writes.then = Then::fail;
    record(capture, id, 3, 4);
    while (*pawl_capture_last_error(capture) == '\0') pawl_capture_flush(capture);
    writes.then = Then::go_on;
    uint64_t step = 4;
    for (; pawl_capture_step_begin(capture, step, 0) != PAWL_OK; ++step) pawl_capture_flush(capture);
    writes.allowed = 0;
    writes.then = Then::block;
    pawl_capture_scalar(capture, id, static_cast<double>(step));
    pawl_capture_step_end(capture);
    record(capture, id, step + 1, step + 5);
    *ended_ = step;
  });
  EXPECT_TRUE(complete());
  const auto records = read_all();
  auto wanted = steps(0, 3);
  const auto later = steps(*ended_, *ended_ + 5);
  const auto names = without_declarations(names_of(records));
  EXPECT_THAT(std::vector<std::string>(names.begin(), names.begin() + 9), ElementsAreArray(wanted));
  ASSERT_GE(names.size(), later.size());
  EXPECT_THAT(std::vector<std::string>(names.end() - static_cast<ptrdiff_t>(later.size()), names.end()),
              ElementsAreArray(later));
  const auto headers = only<trace::Header>(records);
  ASSERT_THAT(headers, SizeIs(2));
  EXPECT_EQ(headers[0].start_ns, headers[1].start_ns) << "the process is the same";
  EXPECT_EQ(headers[1].segment, 2u);
  expect_segments_stand_alone();
}

// They were in the ring already, behind the batch that holds the begin of their step.
TEST_F(CaptureRing, TheRestOfAStepWhoseBeginCouldNotBeWritten) {
  killed([&] {
    pawl_capture* capture = open();
    const uint32_t id = series(capture, "loss");
    flush(capture);
    writes.allowed = 0;
    writes.then = Then::block;
    pawl_capture_step_begin(capture, 0, 0);
    pawl_capture_scalar(capture, id, 0);
    while (writes.refused == 0) pawl_capture_flush(capture);
    pawl_capture_scalar(capture, id, 0);
    pawl_capture_step_end(capture);
    writes.then = Then::fail;
    writes.then.notify_all();
    while (*pawl_capture_last_error(capture) == '\0') pawl_capture_flush(capture);
    if (pawl_capture_dropped(capture) != 4) ::_exit(1);
    writes.then = Then::go_on;
    uint64_t step = 1;
    for (; pawl_capture_step_begin(capture, step, 0) != PAWL_OK; ++step) pawl_capture_flush(capture);
    pawl_capture_scalar(capture, id, static_cast<double>(step));
    pawl_capture_step_end(capture);
    *ended_ = step;
  });
  EXPECT_TRUE(complete());
  const auto records = read_clean();
  EXPECT_EQ(without_declarations(names_of(records)), steps(*ended_, *ended_ + 1));
  EXPECT_EQ(only<trace::Dropped>(records).back().total, 4 + *ended_ - 1);
}

TEST_F(CaptureRing, WhatCouldNotBeWrittenInTheEndIsLeftForLater) {
  killed([&] {
    pawl_capture* capture = open();
    writes.end_fails = true;
    record(capture, series(capture, "loss"), 0, 3);
    pawl_capture_close(capture);
  });
  EXPECT_TRUE(path_exists(ring()));
  EXPECT_TRUE(complete());
  const auto records = read_clean();
  EXPECT_EQ(without_declarations(names_of(records)), steps(0, 3));
  EXPECT_THAT(only<trace::End>(records), SizeIs(1));
}

TEST_F(CaptureRing, WhatWasDroppedIsCountedAllTheSame) {
  auto small = options();
  small.ring_bytes = 1;
  killed([&] {
    pawl_capture* capture = open(small);
    const uint32_t id = series(capture, "loss");
    writes.allowed = 0;
    writes.then = Then::block;
    pawl_capture_step_begin(capture, 0, 0);
    for (uint64_t dropped = 0; dropped < 10; *ended_ = dropped) {
      if (pawl_capture_scalar(capture, id, 0) == PAWL_E_FULL) ++dropped;
    }
  });
  EXPECT_TRUE(complete());
  const auto dropped = only<trace::Dropped>(read_clean());
  ASSERT_FALSE(dropped.empty());
  EXPECT_EQ(dropped.back().total, *ended_);
}

TEST_F(CaptureRing, KilledAtRandomTimes) {
  std::minstd_rand random(7);
  uint64_t from = 0;
  for (int time = 0; time < 12; ++time) {
    const pid_t pid = ::fork();
    if (pid == 0) {
      pawl_capture* capture = open();
      for (uint64_t step = from;; ++step) record(capture, series(capture, "loss"), step, step + 1);
    }
    const uint64_t until = from + random() % 3000;
    while (*ended_ <= until) std::this_thread::yield();
    ASSERT_EQ(::kill(pid, SIGKILL), 0);
    ASSERT_EQ(::waitpid(pid, nullptr, 0), pid);
    if (time % 2 == 0) {
      EXPECT_TRUE(complete());  // else the next process does it
    }
    from = *ended_;
  }
  EXPECT_TRUE(complete());
  std::vector<uint64_t> seen;
  for (const auto& end : only<trace::StepEnd>(read_clean())) seen.push_back(end.step);
  // A step that was ended and not noted before the process was killed is recorded by the next one again.
  seen.erase(std::unique(seen.begin(), seen.end()), seen.end());
  ASSERT_GE(seen.size(), from);
  ASSERT_LE(seen.size(), from + 1);
  for (uint64_t step = 0; step < seen.size(); ++step) ASSERT_EQ(seen[step], step);
}

TEST_F(CaptureRing, AForkHasNoPartInIt) {
  pawl_capture* capture = open();
  const std::string maps = read_file("/proc/self/maps", 16u << 20).value();
  EXPECT_THAT(maps, testing::HasSubstr(ring()));
  killed([&] {
    const std::string mine = read_file("/proc/self/maps", 16u << 20).value();
    if (mine.find(ring()) != std::string::npos) ::_exit(1);
    pawl_capture_close(capture);
  });
  EXPECT_TRUE(path_exists(ring()));
  pawl_capture_close(capture);
}

// As on a disk that is full, or a file system that cannot hold space for a mapping ready.
TEST_F(CaptureRing, WithoutAFileItIsMemory) {
  struct rlimit before;
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const struct rlimit low{1u << 20, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &low), 0);
  pawl_capture* capture = open();
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_FALSE(path_exists(ring()));
  record(capture, series(capture, "loss"), 0, 10);
  EXPECT_STREQ(pawl_capture_last_error(capture), "");
  pawl_capture_close(capture);
  EXPECT_EQ(without_declarations(names_of(read_clean())), steps(0, 10));
}

TEST_F(CaptureRing, ADiskThatIsFullWhenTheyAreCompleted) {
  leave_a_ring();
  struct rlimit before;
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const struct rlimit none{100, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &none), 0);
  EXPECT_FALSE(complete());
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  auto tail = trace::TraceTail::open(trace_dir()).value();
  EXPECT_TRUE(path_exists(ring()));
  tail.recover();
  EXPECT_EQ(tail.anomalies().unrecovered_rings, 0u);
  EXPECT_EQ(without_declarations(names_of(read_clean())), steps(0, 20));
}

TEST_F(CaptureRing, OneThatWasOnlyJustCreatedHoldsNothing) {
  pawl_capture_close(open());
  for (const size_t size : {size_t{0}, size_t{100}, size_t{1} << 20}) {
    ASSERT_TRUE(write_file_atomic(ring(), std::string(size, '\0')).ok());
    EXPECT_TRUE(complete()) << size;
    EXPECT_FALSE(path_exists(ring()));
  }
}

TEST_F(CaptureRing, OneThatCannotBeReadIsLeftForAnotherTime) {
  leave_a_ring();
  reads_fail = true;
  EXPECT_FALSE(complete());
  reads_fail = false;
  EXPECT_TRUE(path_exists(ring()));
  EXPECT_TRUE(complete());
  EXPECT_EQ(without_declarations(names_of(read_clean())), steps(0, 20));
}

// Their segment has them, the ring could not keep them.
TEST_F(CaptureRing, DeclarationsThatOnlyTheSegmentHas) {
  killed([&] {
    pawl_capture* capture = open();
    const uint32_t id = series(capture, "loss");
    writes.allowed = 200;
    writes.then = Then::block;
    record(capture, id, 0, 20);
    while (writes.allowed > 0) std::this_thread::yield();
  });
  std::string bytes = read_file(ring(), 64u << 20).value();
  auto* page = reinterpret_cast<wire::RingPage*>(bytes.data());
  ASSERT_GT(page->batches[page->announced % 2].declared_to, 0u);
  page->declared = 0;
  ASSERT_TRUE(write_file_atomic(ring(), bytes).ok());
  EXPECT_TRUE(complete());
  EXPECT_EQ(names_of(read_clean()).front(), "series loss");
  EXPECT_EQ(without_declarations(names_of(read_clean())), steps(0, 20));
}

// Kept, counted, and in nobody's way.
TEST_F(CaptureRing, ADamagedOne) {
  struct Damage {
    const char* what;
    std::function<void(wire::RingPage&, wire::RingBatch&)> make;
  };
  const Damage damages[] = {
      {"magic", [](auto& page, auto&) { page.magic ^= 1; }},
      {"version", [](auto& page, auto&) { ++page.version; }},
      {"another boot", [](auto& page, auto&) { page.boot[0] ^= 1; }},
      {"no power of two", [](auto& page, auto&) { page.capacity -= 1; }},
      {"no capacity", [](auto& page, auto&) { page.capacity = 0; }},
      {"more than the file", [](auto& page, auto&) { page.capacity *= 2; }},
      {"more than anything", [](auto& page, auto&) { page.capacity = uint64_t{1} << 63; }},
      {"head too far", [](auto& page, auto&) { page.head += page.capacity; }},
      {"head far away", [](auto& page, auto&) { page.head = UINT64_MAX; }},
      {"head before the batch", [](auto& page, auto& batch) { batch.to = batch.from = page.head + 1; }},
      {"batch backwards", [](auto&, auto& batch) { batch.from = batch.to + 1; }},
      {"batch larger than the ring",
       [](auto& page, auto& batch) { batch.from = batch.to - page.capacity - 1; }},
      {"declarations that are not there", [](auto& page, auto&) { page.declared += 1; }},
      {"declarations without end", [](auto& page, auto&) { page.declared = UINT64_MAX; }},
      {"declarations backwards", [](auto&, auto& batch) { batch.declared_from = UINT64_MAX; }},
      {"long header", [](auto&, auto& batch) { batch.before_bytes = UINT32_MAX; }},
      {"long end", [](auto&, auto& batch) { batch.after_bytes = 65; }},
      {"a segment that was longer", [](auto&, auto& batch) { batch.segment_size += 1u << 20; }},
      {"a segment of any length", [](auto&, auto& batch) { batch.segment_size = UINT64_MAX; }},
      {"a segment that is missing", [](auto&, auto& batch) { batch.segment += 1; }},
      {"a new segment far behind",
       [](auto&, auto& batch) { batch.segment += 2, batch.segment_size = 0, batch.to = batch.from; }},
      {"a new segment of what was overwritten",
       [](auto& page, auto& batch) {
         batch.segment += 1, batch.segment_size = 0;
         batch.from = 0, batch.to = 10, page.head = page.capacity + 10;
       }},
  };
  leave_a_ring(3);
  const std::string bytes = read_file(ring(), 64u << 20).value();
  const std::string segment = read_file(rank_dir() + "/000001.seg", 1u << 20).value();
  const auto expect_damaged = [&] {
    EXPECT_FALSE(complete());
    EXPECT_FALSE(path_exists(ring()));
    EXPECT_TRUE(path_exists(damaged_ring()));
    EXPECT_EQ(read_file(rank_dir() + "/000001.seg", 1u << 20).value(), segment);
    EXPECT_EQ(segments(), std::vector<std::string>{"000001.seg"});
    auto tail = trace::TraceTail::open(trace_dir()).value();
    tail.recover();
    EXPECT_EQ(tail.anomalies().unrecovered_rings, 1u);
    ASSERT_EQ(::unlink(damaged_ring().c_str()), 0);
  };
  for (const Damage& damage : damages) {
    SCOPED_TRACE(damage.what);
    std::string damaged = bytes;
    auto* page = reinterpret_cast<wire::RingPage*>(damaged.data());
    damage.make(*page, page->batches[page->announced % 2]);
    ASSERT_TRUE(write_file_atomic(ring(), damaged).ok());
    expect_damaged();
  }
  for (const size_t size : {sizeof(wire::RingPage), size_t{wire::kRingOffset}, bytes.size() - 1}) {
    SCOPED_TRACE(size);
    ASSERT_TRUE(write_file_atomic(ring(), bytes.substr(0, size)).ok());
    expect_damaged();
  }
  ASSERT_TRUE(write_file_atomic(trace_dir() + "/good", bytes).ok());
  ASSERT_EQ(::symlink("../good", ring().c_str()), 0);
  expect_damaged();
  ASSERT_EQ(::mkfifo(ring().c_str(), 0600), 0);
  expect_damaged();

  // The segment of another process came later.
  ASSERT_TRUE(write_file_atomic(rank_dir() + "/000002.seg", "").ok());
  ASSERT_TRUE(write_file_atomic(ring(), bytes).ok());
  EXPECT_FALSE(complete());
  ASSERT_TRUE(path_exists(damaged_ring()));

  ASSERT_TRUE(write_file_atomic(ring(), bytes.substr(0, 20000)).ok());
  pawl_capture* capture = open();
  EXPECT_TRUE(path_exists(ring())) << "its own";
  record(capture, series(capture, "loss"), 5, 6);
  pawl_capture_close(capture);
  EXPECT_FALSE(path_exists(ring()));
  EXPECT_EQ(without_declarations(names_of(read_all())), steps(5, 6));
}

}  // namespace
}  // namespace pawl::capture
