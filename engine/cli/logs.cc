// pawl logs: what the ranks of an attempt wrote.

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "engine/base/files.h"
#include "engine/base/text.h"
#include "engine/cli/commands.h"
#include "engine/cli/output.h"
#include "engine/cli/rank_lines.h"
#include "engine/cli/record.h"
#include "engine/supervise/log_index.h"

namespace pawl::cli {
namespace {

constexpr uint64_t kMaxJsonLog = 256u << 20;

// Escape sequences that could write to the operator's terminal are taken out; where output is no terminal,
// bytes leave as they are.
void print_bytes(std::string_view bytes) {
  print(is_terminal() ? sanitize_for_terminal(bytes, use_colour()) : std::string(bytes));
}

// Prints a log that may still grow: bytes as they are while only one rank has written, and from then on lines
// with the rank in front.
class LogPrinter {
 public:
  LogPrinter(int fd, const supervise::LogReader& index, uint64_t offset)
      : fd_(fd), index_(index), offset_(offset) {}

  // Everything that is there now.
  Result<void> print_rest() {
    PAWL_RETURN_IF_ERROR(look_for_ranks());
    return several_ ? print_lines() : print_bytes_from_file();
  }

 private:
  static constexpr uint64_t kEntries = 4096;

  Result<void> look_for_ranks() {
    while (!several_) {
      PAWL_ASSIGN(auto entries, index_.entries(looked_at_, kEntries));
      if (entries.empty()) return {};
      if (!first_rank_) first_rank_ = entries[0].rank;
      several_ = std::ranges::any_of(entries, [&](const auto& entry) { return entry.rank != *first_rank_; });
      looked_at_ += entries.size();
    }
    return {};
  }

  Result<void> print_bytes_from_file() {
    std::string buffer(1 << 16, '\0');
    while (true) {
      ssize_t n = pread(fd_, buffer.data(), buffer.size(), static_cast<off_t>(offset_));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return errno_error("cannot read the log", "", errno);
      if (n == 0) return {};
      print_bytes(std::string_view(buffer).substr(0, static_cast<size_t>(n)));
      offset_ += static_cast<uint64_t>(n);
    }
  }

  Result<void> print_lines() {
    PAWL_ASSIGN(uint64_t next, index_.find_offset(offset_));
    while (true) {
      PAWL_ASSIGN(auto entries, index_.entries(next, kEntries));
      if (entries.empty()) return {};
      for (const supervise::LogEntry& entry : entries) {
        PAWL_ASSIGN(std::string piece, index_.bytes(entry));
        uint64_t seen = offset_ > entry.offset ? offset_ - entry.offset : 0;
        print_bytes(prefix_.add(entry.rank, std::string_view(piece).substr(seen)));
        offset_ = entry.offset + entry.length;
      }
      next += entries.size();
    }
  }

  int fd_;
  const supervise::LogReader& index_;
  uint64_t offset_;  // printed up to here
  uint64_t looked_at_ = 0;
  std::optional<uint16_t> first_rank_;
  bool several_ = false;
  RankPrefix prefix_;
};

// Where the last `lines` lines begin.
Result<uint64_t> tail_offset(const supervise::LogReader& reader, int64_t lines) {
  PAWL_ASSIGN(uint64_t first, reader.find_tail(static_cast<uint64_t>(lines)));
  PAWL_ASSIGN(auto entries, reader.entries(first, 1));
  return entries.empty() ? uint64_t{0} : entries[0].offset;
}

Result<Json> rank_lines(const supervise::LogReader& index) {
  RankLines lines;
  PAWL_ASSIGN(uint64_t count, index.count());
  PAWL_ASSIGN(auto entries, index.entries(0, count));
  for (const supervise::LogEntry& entry : entries) {
    PAWL_ASSIGN(std::string piece, index.bytes(entry));
    lines.add(entry, piece);
  }
  Json out = Json::array();
  for (const RankLine& line : lines.lines())
    out.push_back({{"rank", line.rank}, {"text", to_valid_utf8(line.text)}});
  return out;
}

Result<void> follow(LogPrinter& printer, const std::string& dir) {
  UniqueFd watch(inotify_init1(IN_CLOEXEC));
  if (!watch || inotify_add_watch(watch.get(), dir.c_str(), IN_MODIFY | IN_MOVED_TO | IN_CREATE) < 0) {
    return errno_error("cannot watch", dir, errno);
  }
  while (true) {
    // The result is written after the last byte of the log: look for it first, then read.
    bool ended = path_exists(dir + "/result.json");
    PAWL_RETURN_IF_ERROR(printer.print_rest());
    if (ended) return {};
    pollfd waiting{watch.get(), POLLIN, 0};
    // The time-out covers a supervisor that was killed and will never write a result.
    if (poll(&waiting, 1, 5000) == 0) {
      PAWL_ASSIGN(bool alive, FileLock::is_held(dir + "/lock"));
      if (!alive && !path_exists(dir + "/result.json")) return {};
      continue;
    }
    char events[4096];
    (void)!read(watch.get(), events, sizeof events);
  }
}

Result<int> show_logs(const Global& global, const LogsOptions& options) {
  PAWL_ASSIGN(Record record, open_record(global.home));
  PAWL_ASSIGN(store::Run run, store::look_up_run(record.db, options.run));
  PAWL_RETURN_IF_ERROR(check_made_here(run));
  PAWL_ASSIGN(AttemptPlace place, find_attempt(record, run, options.stage, options.attempt));
  std::string path = place.dir + "/log";
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) {
    return Error(ErrorCode::not_found, fmt::format("stage {} attempt {} of run {} has no log",
                                                   place.attempt.stage, place.attempt.number, run.number));
  }
  PAWL_ASSIGN(auto index, supervise::LogReader::open(place.dir));
  if (global.json) {
    PAWL_ASSIGN(Json lines, rank_lines(index));
    PAWL_ASSIGN(std::string text, read_file(path, kMaxJsonLog));
    print_json({{"run", run.number},
                {"stage", place.attempt.stage},
                {"attempt", place.attempt.number},
                {"path", path},
                {"text", to_valid_utf8(text)},
                {"lines", lines}});
    return 0;
  }
  uint64_t offset = 0;
  if (options.tail >= 0) {
    PAWL_ASSIGN(offset, tail_offset(index, options.tail));
  }
  LogPrinter printer(fd.get(), index, offset);
  PAWL_RETURN_IF_ERROR(options.follow ? follow(printer, place.dir) : printer.print_rest());
  return 0;
}

}  // namespace

int logs(const Global& global, const LogsOptions& options) {
  auto result = show_logs(global, options);
  return result.ok() ? *result : fail(result.error());
}

}  // namespace pawl::cli
