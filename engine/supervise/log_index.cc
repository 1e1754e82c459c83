#include "engine/supervise/log_index.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>

namespace pawl::supervise {
namespace {

static_assert(std::endian::native == std::endian::little, "log.idx is little-endian and read as it lies");

Result<UniqueFd> open_file(const std::string& path) {
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return errno_error("cannot open", path, errno);
  return fd;
}

// As many bytes as there are, up to `size`.
Result<size_t> read_at(int fd, void* into, size_t size, uint64_t offset) {
  size_t done = 0;
  while (done < size) {
    ssize_t n = pread(fd, static_cast<char*>(into) + done, size - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno_error("cannot read", "log", errno);
    if (n == 0) break;
    done += static_cast<size_t>(n);
  }
  return done;
}

}  // namespace

Result<LogReader> LogReader::open(const std::string& attempt_dir) {
  PAWL_ASSIGN(UniqueFd log, open_file(attempt_dir + "/log"));
  PAWL_ASSIGN(UniqueFd index, open_file(attempt_dir + "/log.idx"));
  return LogReader(std::move(log), std::move(index));
}

Result<uint64_t> LogReader::count() const {
  struct stat st{};
  if (fstat(index_.get(), &st) != 0) return errno_error("cannot stat", "log.idx", errno);
  return static_cast<uint64_t>(st.st_size) / sizeof(LogEntry);
}

Result<std::vector<LogEntry>> LogReader::entries(uint64_t first, uint64_t limit) const {
  PAWL_ASSIGN(uint64_t there, count());
  if (first >= there) return std::vector<LogEntry>{};
  std::vector<LogEntry> out(std::min(limit, there - first));
  PAWL_ASSIGN(size_t size,
              read_at(index_.get(), out.data(), out.size() * sizeof(LogEntry), first * sizeof(LogEntry)));
  out.resize(size / sizeof(LogEntry));
  for (const LogEntry& entry : out) {
    if (entry.length > kMaxPiece)
      return Error(ErrorCode::invalid, "holds an entry that is too long", "log.idx");
  }
  return out;
}

Result<std::string> LogReader::bytes(const LogEntry& entry) const {
  if (entry.length > kMaxPiece)
    return Error(ErrorCode::invalid, "holds an entry that is too long", "log.idx");
  std::string out(entry.length, '\0');
  PAWL_ASSIGN(size_t size, read_at(log_.get(), out.data(), out.size(), entry.offset));
  if (size != out.size()) return Error(ErrorCode::invalid, "is shorter than its index says", "log");
  return out;
}

Result<uint64_t> LogReader::find_offset(uint64_t offset) const {
  PAWL_ASSIGN(uint64_t high, count());
  uint64_t low = 0;
  while (low < high) {
    uint64_t middle = low + (high - low) / 2;
    PAWL_ASSIGN(std::vector<LogEntry> one, entries(middle, 1));
    if (one.empty()) return Error(ErrorCode::invalid, "became shorter while it was read", "log.idx");
    if (one[0].offset + one[0].length > offset) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

Result<uint64_t> LogReader::find_tail(uint64_t lines) const {
  PAWL_ASSIGN(uint64_t at, count());
  uint64_t seen = 0;
  while (at > 0 && seen < lines) {
    PAWL_ASSIGN(std::vector<LogEntry> one, entries(at - 1, 1));
    if (one.empty()) return Error(ErrorCode::invalid, "became shorter while it was read", "log.idx");
    PAWL_ASSIGN(std::string text, bytes(one[0]));
    seen += static_cast<uint64_t>(std::ranges::count(text, '\n'));
    --at;
  }
  return at;
}

}  // namespace pawl::supervise
