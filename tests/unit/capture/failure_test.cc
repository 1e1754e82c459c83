// What cannot be written: counted, reported, and training goes on.
#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/capture/capture_fixture.h"

namespace pawl::capture {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

// No file of this process may grow beyond this: the kernel cuts the write that crosses the limit, refuses the
// next one with EFBIG and sends SIGXFSZ, whose default ends the process.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() { ::setrlimit(RLIMIT_FSIZE, &before_); }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  rlimit before_;
};

using CaptureFailure = CaptureTest;

TEST_F(CaptureFailure, ADirectoryThatCannotBe) {
  ASSERT_TRUE(write_file_atomic(trace_dir(), "a file where the folder should be").ok());
  pawl_capture* capture = nullptr;
  const auto mine = options();
  EXPECT_EQ(pawl_capture_open(&mine, &capture), PAWL_E_IO);
  EXPECT_EQ(capture, nullptr);
  EXPECT_THAT(pawl_capture_last_error(nullptr), HasSubstr(trace_dir()));
  EXPECT_THAT(pawl_capture_last_error(nullptr), HasSubstr("Not a directory"));
}

TEST_F(CaptureFailure, ARankFolderThatIsASymbolicLink) {
  ASSERT_TRUE(make_dirs(trace_dir()).ok());
  ASSERT_EQ(::symlink(dir_.path().c_str(), rank_dir().c_str()), 0);
  pawl_capture* capture = nullptr;
  const auto mine = options();
  EXPECT_EQ(pawl_capture_open(&mine, &capture), PAWL_E_IO);
}

TEST_F(CaptureFailure, AFullFileSystemAtOpen) {
  const FileSizeLimit limit(0);
  pawl_capture* capture = nullptr;
  const auto mine = options();
  EXPECT_EQ(pawl_capture_open(&mine, &capture), PAWL_E_IO);
  EXPECT_EQ(capture, nullptr);
  EXPECT_FALSE(path_exists(rank_dir() + "/000001.seg"));  // no empty segment is left
}

TEST_F(CaptureFailure, AFullRingDropsAndCounts) {
  auto small = options();
  small.ring_bytes = 1;  // the smallest there is
  pawl_capture* capture = open(small);
  const uint32_t id = series(capture, "w", PAWL_WEIGHT);
  const pawl_stats stats = make_stats();
  uint64_t accepted = 0, refused = 0, step = 0;
  for (; refused == 0 || step < 50; ++step) {
    ASSERT_EQ(pawl_capture_step_begin(capture, step, 0), PAWL_OK) << "room is kept for it";
    for (int i = 0; i < 200; ++i) {
      const pawl_status status = pawl_capture_stats(capture, id, &stats);
      ASSERT_THAT(status, testing::AnyOf(PAWL_OK, PAWL_E_FULL));
      ++(status == PAWL_OK ? accepted : refused);
    }
    ASSERT_EQ(pawl_capture_step_end(capture), PAWL_OK);
    flush(capture);
  }
  EXPECT_EQ(pawl_capture_dropped(capture), refused);
  pawl_capture_close(capture);
  const auto records = read_all();
  EXPECT_EQ(only<trace::StatsValue>(records).size(), accepted);
  EXPECT_EQ(only<trace::StepEnd>(records).size(), step);
  ASSERT_FALSE(only<trace::Dropped>(records).empty());
  EXPECT_EQ(only<trace::Dropped>(records).back().total, refused);
  EXPECT_EQ(only<trace::End>(records).back().dropped, refused);
}

// Lets the file grow to N bytes, for N from just behind the header on: whatever write fails, and wherever it
// is cut, the steps before and after are whole, no value is read as another step's, and drops are counted.
TEST_F(CaptureFailure, EveryByteAtWhichAWriteCanFail) {
  struct stat header;
  pawl_capture_close(open());
  ASSERT_EQ(::stat((rank_dir() + "/000001.seg").c_str(), &header), 0);
  const auto first = static_cast<rlim_t>(header.st_size);
  for (rlim_t bytes = first; bytes < first + 300; ++bytes) {
    SCOPED_TRACE(bytes);
    ASSERT_TRUE(remove_tree(trace_dir()).ok());
    pawl_capture* capture = open();
    const uint32_t id = series(capture, "x");
    uint64_t pushed = 0, step = 0;
    const auto record_step = [&] {
      const pawl_status status = pawl_capture_step_begin(capture, step, 0);
      for (int i = 0; i < 3; ++i) pawl_capture_scalar(capture, id, static_cast<double>(step));
      pawl_capture_step_end(capture);
      pushed += 5;
      ++step;
      pawl_capture_flush(capture);
      return status;
    };
    {
      const FileSizeLimit limit(bytes);
      while (record_step() != PAWL_E_IO) {
      }
    }
    EXPECT_THAT(pawl_capture_last_error(capture), HasSubstr("File too large"));
    while (record_step() != PAWL_OK) {  // flush makes the writer try again at once
    }
    record_step();
    const uint64_t dropped = pawl_capture_dropped(capture);
    EXPECT_GE(dropped, 5u);
    pawl_capture_close(capture);

    const auto records = read_all();
    uint64_t seen = 0, open_step = UINT64_MAX, last_step = UINT64_MAX;
    for (const auto& record : records) {
      if (const auto* begin = std::get_if<trace::StepBegin>(&record)) open_step = begin->step, ++seen;
      if (const auto* end = std::get_if<trace::StepEnd>(&record)) last_step = end->step, ++seen;
      if (const auto* value = std::get_if<trace::ScalarValue>(&record)) {
        EXPECT_EQ(value->value, static_cast<double>(open_step));
        ++seen;
      }
    }
    EXPECT_EQ(last_step, step - 1);
    EXPECT_GE(seen + dropped,
              pushed);  // a record of a failed write may have arrived and be counted all the same
    EXPECT_EQ(only<trace::Dropped>(records).back().total, dropped);
  }
}

TEST_F(CaptureFailure, CloseWhileNothingCanBeWritten) {
  pawl_capture* capture = open();
  const uint32_t id = series(capture, "x");
  const FileSizeLimit limit(0);
  pawl_capture_step_begin(capture, 0, 0);
  pawl_capture_scalar(capture, id, 1);
  pawl_capture_step_end(capture);
  do {
    EXPECT_EQ(pawl_capture_flush(capture), PAWL_E_IO);
  } while (*pawl_capture_last_error(capture) == '\0');
  EXPECT_EQ(pawl_capture_step_begin(capture, 1, 0), PAWL_E_IO);
  EXPECT_EQ(pawl_capture_scalar(capture, id, 1), PAWL_E_IO);
  EXPECT_EQ(pawl_capture_dropped(capture), 5u);
  pawl_capture_close(capture);
}

}  // namespace
}  // namespace pawl::capture
