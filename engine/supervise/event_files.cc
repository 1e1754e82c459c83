#include "engine/supervise/event_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <tuple>
#include <utility>

#include "engine/base/files.h"
#include "engine/base/text.h"
#include "pipelines/glob.h"

namespace pawl::supervise {
namespace {

constexpr int64_t kPollMs = 500;
constexpr size_t kBudget = 8u << 20;  // bytes at once: the pipes of the ranks have their turn in between
constexpr size_t kChunk = 256u << 10;
constexpr int kMaxDepth = 8;
constexpr size_t kMaxVisited = 10'000;
constexpr size_t kMaxFollowed = 256;
constexpr uint64_t kMaxAtEnd = 1u << 30;  // bytes, when all is read that is left
constexpr std::string_view kRankWord = "$RANK";
constexpr const char* kProducer = "event files";

// The folders that every match begins with.
std::string literal_start(std::string_view pattern) {
  std::vector<std::string> parts;
  for (std::string_view part : split(pattern, '/')) {
    if (part.find_first_of("*?") != std::string_view::npos) break;
    parts.emplace_back(part);
  }
  return join(parts, "/");
}

bool is_event_file(std::string_view path) {
  return path.find("tfevents", path.rfind('/') + 1) != std::string_view::npos;
}

}  // namespace

EventFiles::EventFiles(EventLoop& loop, const Intent& intent) : loop_(loop), intent_(intent) {
  const bool by_rank = intent.event_files.find(kRankWord) != std::string::npos;
  for (int rank = 0; rank < (by_rank ? intent.ranks : 1); ++rank) {
    Source source;
    source.rank = static_cast<uint32_t>(rank);
    source.pattern = replace_all(intent.event_files, kRankWord, std::to_string(rank));
    source.base = literal_start(source.pattern);
    sources_.push_back(std::move(source));
  }
  for (const Source& source : sources_) {
    for (const std::string& path : find(source.base)) {
      const auto status = stat_file(intent_.source_dir + "/" + path);
      if (!status.ok() || !run_of(source, path)) continue;
      File& file = files_[path];
      file.inode = status->inode;
      file.offset = status->size;
    }
  }
  timer_ = loop_.call_every(kPollMs, [this] { poll(); });
}

EventFiles::~EventFiles() {
  loop_.remove(timer_);
}

void EventFiles::read_all() {
  for (uint64_t bytes = 0; poll(); bytes += kBudget) {
    if (bytes < kMaxAtEnd) continue;
    too_much_ = true;
    return;
  }
}

bool EventFiles::poll() {
  size_t budget = kBudget;
  const std::string* base = nullptr;
  std::vector<std::string> paths;
  for (Source& source : sources_) {
    if (source.left_alone) continue;
    // The ranks have a base each, or all the same.
    if (base == nullptr || *base != source.base) paths = find(source.base);
    base = &source.base;
    for (const std::string& path : paths) {
      if (const auto run = run_of(source, path)) read(path, *run, source, budget);
    }
    record(source);
  }
  return budget == 0;
}

std::vector<std::string> EventFiles::find(const std::string& base) {
  visited_ = 0;
  std::vector<std::string> out;
  struct stat status;
  const std::string path = intent_.source_dir + "/" + base;
  if (::stat(path.c_str(), &status) != 0) return out;
  if (S_ISDIR(status.st_mode)) walk(base, 0, out);
  if (S_ISREG(status.st_mode) && is_event_file(base)) out.push_back(base);
  return out;
}

void EventFiles::walk(const std::string& folder, int depth, std::vector<std::string>& out) {
  auto entries = list_dir(intent_.source_dir + "/" + folder);
  if (!entries.ok()) return;  // gone meanwhile
  for (const DirEntry& entry : *entries) {
    if (++visited_ > kMaxVisited) {
      too_many_ = true;
      return;
    }
    const std::string path = folder.empty() ? entry.name : folder + "/" + entry.name;
    if (entry.type == DirEntry::Type::directory && depth < kMaxDepth) walk(path, depth + 1, out);
    if (entry.type == DirEntry::Type::file && is_event_file(path)) out.push_back(path);
  }
}

// What the pattern names is a folder above the file, or the file.
std::optional<std::string> EventFiles::run_of(const Source& source, const std::string& path) {
  const size_t name = path.rfind('/') + 1;
  for (size_t end = 0; end != std::string::npos;) {
    end = path.find('/', end + 1);
    if (!pipeline::glob_matches(source.pattern, std::string_view(path).substr(0, end))) continue;
    const bool is_above = end != std::string::npos && end + 1 < name;
    return is_above ? path.substr(end + 1, name - end - 2) : "";
  }
  return std::nullopt;
}

EventFiles::File* EventFiles::grown(const std::string& path, uint64_t inode, uint64_t size) {
  auto known = files_.find(path);
  const bool is_other = known == files_.end() || known->second.inode != inode || size < known->second.offset;
  if (size == (is_other ? 0 : known->second.offset)) return nullptr;
  const bool was_followed = known != files_.end() && known->second.is_followed;
  if (!was_followed && followed_ == kMaxFollowed) {
    too_many_followed_ = true;
    return nullptr;
  }
  if (!was_followed) ++followed_;
  File& file = files_[path];
  if (is_other) file = File();
  file.inode = inode;
  file.is_followed = true;
  return &file;
}

void EventFiles::read(const std::string& path, const std::string& run, Source& source, size_t& budget) {
  const std::string whole = intent_.source_dir + "/" + path;
  UniqueFd fd(::open(whole.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat status;
  if (!fd || ::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) return;
  const auto end = static_cast<uint64_t>(status.st_size);
  File* file = grown(path, status.st_ino, end);
  if (file == nullptr) return;
  std::string chunk;
  while (budget > 0 && !file->decoder.lost() && file->offset < end) {
    chunk.resize(std::min(kChunk, budget));
    const ssize_t size = ::pread(fd.get(), chunk.data(), chunk.size(), static_cast<off_t>(file->offset));
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return;
    budget -= static_cast<size_t>(size);
    file->offset += static_cast<uint64_t>(size);
    file->decoder.feed(std::string_view(chunk).substr(0, static_cast<size_t>(size)));
    while (const auto message = file->decoder.next()) {
      const auto event = trace::parse_event(*message);
      if (event.ok()) take(*event, run, *file, source);
      if (!event.ok()) ++file->strange;
    }
    // A length may claim any size, and a file with holes have it.
    if (file->offset < end) file->offset += file->decoder.pass_over(end - file->offset);
  }
}

void EventFiles::take(const trace::ScalarEvent& event, const std::string& run, File& file, Source& source) {
  if (event.restart) {
    record(source);
    source.went_back = true;
  }
  for (const trace::ScalarEvent::Value& value : event.values) {
    trace::EventSeries series = trace::series_of_event(run, value.tag);
    if (series.name.empty() || series.name.size() > trace::kMaxSeriesName) {
      ++file.strange;
      continue;
    }
    trace::LoggedStep step;
    step.step = event.step;
    step.eval = series.eval;
    step.wall_time = event.wall_time;
    step.values.push_back({std::move(series.name), series.kind, value.value});
    batch_.push_back(std::move(step));
  }
}

void EventFiles::record(Source& source) {
  if (batch_.empty()) return;
  // Who shares out the files by rank has ranks that wait for each other.
  const auto world_size = static_cast<uint32_t>(sources_.size());
  auto writer =
      trace::SegmentWriter::open(intent_.attempt_dir + "/trace", source.rank, world_size, kProducer);
  const bool is_taken = !writer.ok() && writer.error().code() == ErrorCode::conflict;
  source.left_alone = is_taken || (writer.ok() && writer->follows_another());
  if (!source.left_alone) {
    const Result<void> written = writer.ok() ? write(source, *writer) : Result<void>(writer.error());
    if (!written.ok() && first_error_.empty()) first_error_ = written.error().to_string();
    source.went_back = false;
  }
  batch_.clear();
}

Result<void> EventFiles::write(const Source& source, trace::SegmentWriter& writer) {
  const auto place = [](const trace::LoggedStep& step) { return std::tuple(step.step, step.eval); };
  std::ranges::stable_sort(batch_, {}, place);
  // Files are read one after the other, and a writer keeps back what it has for minutes: a lower number is no
  // sign that training has gone back.
  bool unordered = !source.went_back;
  for (size_t at = 0; at < batch_.size();) {
    trace::LoggedStep step = std::move(batch_[at]);
    while (++at < batch_.size() && place(batch_[at]) == place(step)) {
      std::ranges::move(batch_[at].values, std::back_inserter(step.values));
      step.wall_time = std::max(step.wall_time, batch_[at].wall_time);
    }
    step.unordered = unordered;
    unordered |= !step.eval;
    PAWL_RETURN_IF_ERROR(writer.add(step));
  }
  return writer.close();
}

std::vector<std::string> EventFiles::notes() const {
  std::vector<std::string> out;
  if (followed_ == 0) out.push_back(fmt::format("no event file was written at '{}'", intent_.event_files));
  for (const Source& source : sources_) {
    if (source.left_alone) {
      out.push_back(fmt::format(
          "the event files of rank {} are not in the trace: another process records the rank", source.rank));
    }
  }
  uint64_t damaged = 0;
  uint64_t lost = 0;
  std::string first_lost;
  for (const auto& [path, file] : files_) {
    damaged += file.decoder.damaged() + file.strange;
    if (file.decoder.lost() && ++lost == 1) first_lost = path;
  }
  if (lost > 0) {
    out.push_back(fmt::format("the event file {} is damaged: its end is not read{}", first_lost,
                              lost > 1 ? fmt::format(" ({} more are, too)", lost - 1) : ""));
  }
  if (damaged > 0)
    out.push_back(fmt::format("{} records of event files are damaged, and not in the trace", damaged));
  if (too_many_)
    out.push_back(
        fmt::format("more than {} files at '{}': not all were looked at", kMaxVisited, intent_.event_files));
  if (too_many_followed_)
    out.push_back(fmt::format("more than {} event files at '{}': the others were not read", kMaxFollowed,
                              intent_.event_files));
  if (too_much_)
    out.push_back(
        fmt::format("when the ranks had ended more than {} of event files were left: not all is read",
                    format_bytes(kMaxAtEnd)));
  if (!first_error_.empty()) out.push_back("the event files are not all in the trace: " + first_error_);
  return out;
}

}  // namespace pawl::supervise
