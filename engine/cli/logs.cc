// pawl logs: what the ranks of an attempt wrote, as it is on disk.

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "engine/base/files.h"
#include "engine/base/text.h"
#include "engine/cli/commands.h"
#include "engine/cli/output.h"
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

// Prints what is there from `offset` on and returns the new offset.
Result<uint64_t> copy_from(int fd, uint64_t offset) {
  std::string buffer(1 << 16, '\0');
  while (true) {
    ssize_t n = pread(fd, buffer.data(), buffer.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno_error("cannot read the log", "", errno);
    if (n == 0) return offset;
    print_bytes(std::string_view(buffer).substr(0, static_cast<size_t>(n)));
    offset += static_cast<uint64_t>(n);
  }
}

// Where the last `lines` lines begin.
Result<uint64_t> tail_offset(const std::string& dir, int64_t lines) {
  PAWL_ASSIGN(auto reader, supervise::LogReader::open(dir));
  PAWL_ASSIGN(uint64_t first, reader.find_tail(static_cast<uint64_t>(lines)));
  PAWL_ASSIGN(auto entries, reader.entries(first, 1));
  return entries.empty() ? uint64_t{0} : entries[0].offset;
}

Result<void> follow(int fd, const std::string& dir, uint64_t offset) {
  UniqueFd watch(inotify_init1(IN_CLOEXEC));
  if (!watch || inotify_add_watch(watch.get(), dir.c_str(), IN_MODIFY | IN_MOVED_TO | IN_CREATE) < 0) {
    return errno_error("cannot watch", dir, errno);
  }
  while (true) {
    // The result is written after the last byte of the log: look for it first, then read.
    bool ended = path_exists(dir + "/result.json");
    PAWL_ASSIGN(offset, copy_from(fd, offset));
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
  PAWL_ASSIGN(AttemptPlace place, find_attempt(record, run, options.stage, options.attempt));
  std::string path = place.dir + "/log";
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) {
    return Error(ErrorCode::not_found, fmt::format("stage {} attempt {} of run {} has no log",
                                                   place.attempt.stage, place.attempt.number, run.number));
  }
  if (global.json) {
    PAWL_ASSIGN(std::string text, read_file(path, kMaxJsonLog));
    print_json({{"run", run.number},
                {"stage", place.attempt.stage},
                {"attempt", place.attempt.number},
                {"path", path},
                {"text", to_valid_utf8(text)}});
    return 0;
  }
  uint64_t offset = 0;
  if (options.tail >= 0) {
    PAWL_ASSIGN(offset, tail_offset(place.dir, options.tail));
  }
  if (options.follow) {
    PAWL_RETURN_IF_ERROR(follow(fd.get(), place.dir, offset));
  } else {
    auto copied = copy_from(fd.get(), offset);
    if (!copied.ok()) return std::move(copied).error();
  }
  return 0;
}

}  // namespace

int logs(const Global& global, const LogsOptions& options) {
  auto result = show_logs(global, options);
  return result.ok() ? *result : fail(result.error());
}

}  // namespace pawl::cli
