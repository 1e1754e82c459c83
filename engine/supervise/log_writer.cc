#include "engine/supervise/log_writer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

namespace pawl::supervise {
namespace {

// Up to and including the last end of a line. A carriage return ends one unless a newline may still follow
// it.
size_t complete_size(std::string_view bytes) {
  size_t newline = bytes.rfind('\n');
  size_t after_newline = newline == std::string_view::npos ? 0 : newline + 1;
  if (bytes.empty()) return 0;
  size_t carriage_return = bytes.substr(0, bytes.size() - 1).rfind('\r');
  size_t after_return = carriage_return == std::string_view::npos ? 0 : carriage_return + 1;
  return std::max(after_newline, after_return);
}

// How much of `bytes` reached the file.
size_t write_some(int fd, std::string_view bytes) {
  size_t done = 0;
  while (done < bytes.size()) {
    ssize_t n = write(fd, bytes.data() + done, bytes.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) break;
    done += static_cast<size_t>(n);
  }
  return done;
}

Result<UniqueFd> open_append(const std::string& path, uint64_t& size) {
  UniqueFd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  struct stat st{};
  if (!fd || fstat(fd.get(), &st) != 0) return errno_error("cannot open", path, errno);
  size = static_cast<uint64_t>(st.st_size);
  return fd;
}

}  // namespace

LogWriter::LogWriter(UniqueFd log, UniqueFd index, uint64_t size, uint64_t index_size, uint64_t max_bytes)
    : log_(std::move(log)),
      index_(std::move(index)),
      size_(size),
      index_size_(index_size),
      max_bytes_(max_bytes) {}

Result<LogWriter> LogWriter::open(const std::string& attempt_dir, uint64_t max_bytes) {
  uint64_t size = 0;
  uint64_t index_size = 0;
  PAWL_ASSIGN(UniqueFd log, open_append(attempt_dir + "/log", size));
  PAWL_ASSIGN(UniqueFd index, open_append(attempt_dir + "/log.idx", index_size));
  uint64_t whole = index_size - index_size % sizeof(LogEntry);  // a crash may have cut the last entry
  if (whole != index_size && ftruncate(index.get(), static_cast<off_t>(whole)) != 0) {
    return errno_error("cannot mend", attempt_dir + "/log.idx", errno);
  }
  return LogWriter(std::move(log), std::move(index), size, whole, max_bytes);
}

void LogWriter::append(int rank, int stream, std::string_view bytes, int64_t unix_ms) {
  std::string& unfinished = unfinished_[{rank, stream}];
  if (!unfinished.empty()) {
    // Only as much as ends the line is copied; the rest is written from where it lies.
    size_t end = bytes.find('\n');
    size_t take = end == std::string_view::npos ? bytes.size() : end + 1;
    unfinished.append(bytes.substr(0, take));
    bytes.remove_prefix(take);
    size_t complete = complete_size(unfinished);
    if (unfinished.size() - complete >= kMaxPiece) complete = unfinished.size();
    write_pieces(rank, stream, std::string_view(unfinished).substr(0, complete), unix_ms);
    unfinished.erase(0, complete);
    if (bytes.empty()) return;
  }
  size_t complete = complete_size(bytes);
  if (bytes.size() - complete >= kMaxPiece) complete = bytes.size() - bytes.size() % kMaxPiece;
  write_pieces(rank, stream, bytes.substr(0, complete), unix_ms);
  unfinished.append(bytes.substr(complete));
}

void LogWriter::finish(int rank, int stream, int64_t unix_ms) {
  auto it = unfinished_.find({rank, stream});
  if (it == unfinished_.end()) return;
  write_pieces(rank, stream, it->second, unix_ms);
  unfinished_.erase(it);
}

void LogWriter::write_pieces(int rank, int stream, std::string_view bytes, int64_t unix_ms) {
  while (!bytes.empty()) {
    size_t size = bytes.size();
    if (size > kMaxPiece) {
      size = complete_size(bytes.substr(0, kMaxPiece));
      if (size == 0) size = kMaxPiece;
    }
    write_piece(rank, stream, bytes.substr(0, size), unix_ms);
    bytes.remove_prefix(size);
  }
}

void LogWriter::write_piece(int rank, int stream, std::string_view bytes, int64_t unix_ms) {
  size_t room = std::min<uint64_t>(bytes.size(), max_bytes_ - std::min(max_bytes_, size_));
  size_t written = write_some(log_.get(), bytes.substr(0, room));
  if (written < room) fail("log");
  lost_bytes_ += bytes.size() - written;
  if (written == 0) return;
  LogEntry entry;
  entry.offset = size_;
  entry.unix_ms = static_cast<uint64_t>(unix_ms);
  entry.length = static_cast<uint32_t>(written);
  entry.rank = static_cast<uint16_t>(rank);
  entry.stream = static_cast<uint8_t>(stream);
  char last = bytes[written - 1];
  if (last != '\n' && last != '\r') entry.flags |= LogEntry::kOpenEnd;
  if (written < bytes.size()) entry.flags |= LogEntry::kLossAfter;
  size_ += written;
  std::string_view raw(reinterpret_cast<const char*>(&entry), sizeof entry);
  if (write_some(index_.get(), raw) == sizeof entry) {
    index_size_ += sizeof entry;
    return;
  }
  fail("log.idx");
  lost_bytes_ += written;  // there, but nobody will find it
  (void)!ftruncate(index_.get(), static_cast<off_t>(index_size_));
}

void LogWriter::fail(std::string_view file) {
  if (first_error_.empty()) first_error_ = errno_error("cannot write", file, errno).to_string();
}

void LogWriter::sync() {
  if (fdatasync(log_.get()) != 0) fail("log");
  if (fdatasync(index_.get()) != 0) fail("log.idx");
}

}  // namespace pawl::supervise
