#include "engine/supervise/trace_db.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <vector>

#include "engine/base/files.h"
#include "engine/supervise/result.h"
#include "engine/trace/query.h"
#include "engine/trace/replay.h"
#include "engine/trace/segment_retention.h"

namespace pawl::supervise {
namespace {

// Removes what is left of a database that was not finished.
class Draft {
 public:
  explicit Draft(std::string path) : path_(std::move(path)) {}
  Draft(const Draft&) = delete;
  Draft& operator=(const Draft&) = delete;
  ~Draft() {
    for (const char* suffix : {"", "-wal", "-shm", "-journal"}) unlink((path_ + suffix).c_str());
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

Result<FileLock> lock_ended(const std::string& attempt_dir) {
  auto lock = FileLock::try_acquire(attempt_dir + "/lock");
  if (lock.ok() || lock.error().code() != ErrorCode::conflict) return lock;
  return Error(ErrorCode::conflict, "the attempt still runs, and its supervisor writes trace.db",
               attempt_dir);
}

Result<std::vector<rules::Finding>> findings_of(const std::string& attempt_dir) {
  auto result = read_result(attempt_dir);
  if (result.ok()) return std::move(result->findings);
  if (result.error().code() != ErrorCode::not_found) return std::move(result).error();
  auto findings = trace::TraceReader::findings_in(attempt_dir + "/trace.db");
  return findings.ok() ? std::move(*findings) : std::vector<rules::Finding>();
}

Result<Intent> intent_of(const std::string& dir) {
  auto intent = read_intent(dir);
  const bool is_attempt = intent.ok() || intent.error().code() != ErrorCode::not_found;
  return is_attempt ? std::move(intent) : Intent{};
}

// Whether a rank has segments, and not its first: the supervisor deletes the oldest when there are too many.
Result<bool> lacks_segments(const std::string& attempt_dir) {
  PAWL_ASSIGN(auto ranks, list_dir(attempt_dir + "/trace"));
  for (const DirEntry& rank : ranks) {
    const std::string folder = attempt_dir + "/trace/" + rank.name;
    auto files = list_dir(folder);
    const auto is_segment = [](const DirEntry& file) { return file.name.ends_with(".seg"); };
    if (!files.ok() || std::ranges::none_of(*files, is_segment)) continue;
    if (!path_exists(folder + "/000001.seg")) return true;
  }
  return false;
}

Result<uint64_t> write_draft(const std::string& attempt_dir, const Intent& intent, const std::string& path) {
  PAWL_ASSIGN(trace::Collector collector, create_trace_db(path, intent));
  PAWL_ASSIGN(uint64_t steps, trace::replay_segments(attempt_dir + "/trace", collector));
  if (steps == 0) return Error(ErrorCode::not_found, "the segments hold no step", attempt_dir + "/trace");
  PAWL_ASSIGN(auto findings, findings_of(attempt_dir));
  PAWL_RETURN_IF_ERROR(collector.set_findings(findings));
  PAWL_ASSIGN(const bool lacks, lacks_segments(attempt_dir));
  if (lacks) PAWL_RETURN_IF_ERROR(collector.set_meta(trace::kSegmentsDeleted, "1"));
  PAWL_RETURN_IF_ERROR(collector.commit());
  return steps;
}

Result<void> put_in_place(const std::string& draft, const std::string& path) {
  // A log of the old database would be applied to the new one.
  for (const char* suffix : {"-wal", "-shm"}) PAWL_RETURN_IF_ERROR(remove_tree(path + suffix));
  if (std::rename(draft.c_str(), path.c_str()) != 0) return errno_error("cannot replace", path, errno);
  return {};
}

}  // namespace

Result<trace::Collector> create_trace_db(const std::string& path, const Intent& intent) {
  PAWL_ASSIGN(trace::Collector collector, trace::Collector::create(path));
  PAWL_RETURN_IF_ERROR(collector.set_meta("run_id", intent.run_id));
  PAWL_RETURN_IF_ERROR(collector.set_meta("stage", intent.stage));
  PAWL_RETURN_IF_ERROR(collector.set_meta("attempt", std::to_string(intent.attempt)));
  return collector;
}

Result<uint64_t> rebuild_trace_db(const std::string& attempt_dir) {
  PAWL_RETURN_IF_ERROR(lock_ended(attempt_dir));
  PAWL_ASSIGN(Intent before, intent_of(attempt_dir));
  PAWL_ASSIGN(const bool lacks, lacks_segments(attempt_dir));
  if (lacks && trace::TraceReader::open(attempt_dir + "/trace.db").ok()) {
    return Error(ErrorCode::conflict,
                 "the oldest segments were deleted, since there were too many, and only the trace.db that is "
                 "there has what was in them; remove it to have one of the others",
                 attempt_dir);
  }
  Draft draft(fmt::format("{}/trace.db.{}", attempt_dir, getpid()));
  PAWL_ASSIGN(uint64_t steps, write_draft(attempt_dir, before, draft.path()));
  // The lock is not held for all of that: an engine that looks meanwhile would take us for a supervisor.
  PAWL_ASSIGN(FileLock lock, lock_ended(attempt_dir));
  PAWL_ASSIGN(Intent after, intent_of(attempt_dir));
  if (after.fence != before.fence) {
    return Error(ErrorCode::conflict, "the attempt was started again meanwhile", attempt_dir);
  }
  PAWL_RETURN_IF_ERROR(put_in_place(draft.path(), attempt_dir + "/trace.db"));
  return steps;
}

}  // namespace pawl::supervise
