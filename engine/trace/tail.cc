#include "engine/trace/tail.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <memory>
#include <string_view>
#include <utility>

#include "hooks/capture/recovery.h"

namespace pawl::trace {

namespace {

constexpr size_t kChunk = 256u << 10;
constexpr uint32_t kNewNames = IN_CREATE | IN_MOVED_TO;

std::optional<uint32_t> parse_number(std::string_view digits) {
  uint32_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return number;
}

std::string rank_name(uint32_t rank) {
  return fmt::format("rank-{:05}", rank);
}
std::string segment_name(uint32_t number) {
  return fmt::format("{:06}.seg", number);
}

// Only the exact name the writer would choose: "rank-1" and "rank-000001" are none.
std::optional<uint32_t> rank_of(std::string_view name) {
  if (!name.starts_with("rank-")) return std::nullopt;
  const auto rank = parse_number(name.substr(5));
  if (!rank || rank_name(*rank) != name) return std::nullopt;
  return rank;
}

std::optional<uint32_t> segment_of(std::string_view name) {
  if (!name.ends_with(".seg")) return std::nullopt;
  const auto number = parse_number(name.substr(0, name.size() - 4));
  if (!number || *number == 0 || segment_name(*number) != name) return std::nullopt;
  return number;
}

// Calls `use` with every name in the folder; what cannot be listed has none.
template <class Use>
void for_each_name(const UniqueFd& folder, Use use) {
  const int fd = ::openat(folder.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  const auto close = [](DIR* dir) { ::closedir(dir); };
  const std::unique_ptr<DIR, decltype(close)> dir(::fdopendir(fd), close);
  if (dir == nullptr) {
    ::close(fd);
    return;
  }
  while (const dirent* entry = ::readdir(dir.get())) use(std::string_view(entry->d_name));
}

}  // namespace

Result<TraceTail> TraceTail::open(const std::string& trace_dir) {
  UniqueFd dir(::open(trace_dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!dir) return errno_error("cannot follow the trace in", trace_dir, errno);
  TraceTail tail(std::move(dir));
  tail.inotify_ = UniqueFd(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  tail.watch(tail.dir_, kNewNames);
  return tail;
}

void TraceTail::watch(const UniqueFd& dir, uint32_t events) {
  if (!inotify_) return;
  // The descriptor's own entry in /proc names this folder, whatever has become of its path.
  const std::string self = fmt::format("/proc/self/fd/{}", dir.get());
  if (::inotify_add_watch(inotify_.get(), self.c_str(), events | IN_ONLYDIR) < 0) inotify_.reset();
}

void TraceTail::drain_inotify() {
  if (!inotify_) {
    names_changed_ = true;
    return;
  }
  alignas(inotify_event) char buffer[16384];
  for (;;) {
    const ssize_t size = ::read(inotify_.get(), buffer, sizeof buffer);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return;
    for (ssize_t at = 0; at < size;) {
      const auto* event = reinterpret_cast<const inotify_event*>(buffer + at);
      if ((event->mask & (kNewNames | IN_Q_OVERFLOW)) != 0) names_changed_ = true;
      at += static_cast<ssize_t>(sizeof *event + event->len);
    }
  }
}

UniqueFd TraceTail::open_rank(uint32_t rank) const {
  const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  return UniqueFd(::openat(dir_.get(), rank_name(rank).c_str(), flags));
}

void TraceTail::find_ranks() {
  for_each_name(dir_, [&](std::string_view name) {
    const auto rank = rank_of(name);
    if (!rank || ranks_.contains(*rank)) return;
    RankFiles files;
    files.dir = open_rank(*rank);
    if (!files.dir) return;
    watch(files.dir, kNewNames | IN_MODIFY);  // before its segments are listed: none can slip through
    ranks_.emplace(*rank, std::move(files));
  });
}

void TraceTail::find_next_segment(RankFiles& files) {
  files.next_number = 0;
  for_each_name(files.dir, [&](std::string_view name) {
    const auto number = segment_of(name);
    if (!number || *number <= files.number) return;
    if (files.next_number == 0 || *number < files.next_number) files.next_number = *number;
  });
}

// False when it has to be tried again later. A name that is no regular file is passed over.
bool TraceTail::open_next_segment(RankFiles& files) {
  const int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
  UniqueFd fd(::openat(files.dir.get(), segment_name(files.next_number).c_str(), flags));
  if (!fd && (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == EINTR)) return false;
  struct stat status;
  if (fd && (::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode))) fd.reset();
  files.segment = std::move(fd);
  files.number = files.next_number;
  files.offset = 0;
  return true;
}

void TraceTail::finish_segment(uint32_t rank, RankFiles& files, std::vector<RankRecord>& out) {
  files.decoder.finish();
  while (auto record = files.decoder.next()) out.push_back({rank, std::move(*record)});
  finished_ += files.decoder.anomalies();
  files.decoder = Decoder();
  files.segment.reset();
}

size_t TraceTail::read_segment(uint32_t rank, RankFiles& files, size_t max_bytes,
                               std::vector<RankRecord>& out) {
  size_t total = 0;
  while (files.segment && total < max_bytes) {
    chunk_.resize(kChunk);
    const size_t wanted = std::min(kChunk, max_bytes - total);
    const ssize_t size =
        ::pread(files.segment.get(), chunk_.data(), wanted, static_cast<off_t>(files.offset));
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) break;
    total += static_cast<size_t>(size);
    files.offset += static_cast<uint64_t>(size);
    files.decoder.feed({chunk_.data(), static_cast<size_t>(size)});
    while (auto record = files.decoder.next()) out.push_back({rank, std::move(*record)});
  }
  return total;
}

// Reads the open segment and those after it. A result of `max_bytes` means that there may be more.
size_t TraceTail::read_rank(uint32_t rank, RankFiles& files, size_t max_bytes, std::vector<RankRecord>& out) {
  if (names_changed_) find_next_segment(files);
  size_t total = 0;
  for (;;) {
    total += read_segment(rank, files, max_bytes - total, out);
    if (total >= max_bytes || files.next_number == 0) return total;
    // There was a next segment before we came to the end of this one: nothing will be added to it.
    if (files.segment) left_.push_back({rank, files.number, files.offset});
    finish_segment(rank, files, out);
    if (!open_next_segment(files)) return total;
    find_next_segment(files);
  }
}

TraceTail::Batch TraceTail::poll(size_t max_bytes) {
  drain_inotify();
  if (names_changed_) find_ranks();
  Batch batch;
  const size_t share = std::max<size_t>(max_bytes / std::max<size_t>(ranks_.size(), 1), 4096);
  for (auto& [rank, files] : ranks_) {
    files.drained = read_rank(rank, files, share, batch.records) < share;
    if (!files.drained) batch.more = true;
  }
  names_changed_ = false;
  return batch;
}

std::vector<FinishedSegment> TraceTail::take_finished() {
  return std::exchange(left_, {});
}

void TraceTail::remove(const FinishedSegment& segment) {
  const auto known = ranks_.find(segment.rank);
  if (known == ranks_.end()) return;
  (void)::unlinkat(known->second.dir.get(), segment_name(segment.number).c_str(), 0);
}

bool TraceTail::is_drained(uint32_t rank) const {
  const auto known = ranks_.find(rank);
  return known == ranks_.end() || known->second.drained;
}

void TraceTail::recover_rank(uint32_t rank) {
  const UniqueFd dir = open_rank(rank);
  if (dir) capture::complete_rank(dir.get());
}

void TraceTail::recover() {
  unrecovered_rings_ = 0;
  for_each_name(dir_, [&](std::string_view name) {
    const auto rank = rank_of(name);
    const UniqueFd dir = rank ? open_rank(*rank) : UniqueFd();
    if (dir && !capture::complete_rank(dir.get())) ++unrecovered_rings_;
  });
}

std::vector<RankRecord> TraceTail::finish() {
  std::vector<RankRecord> out;
  for (auto& [rank, files] : ranks_) finish_segment(rank, files, out);
  return out;
}

Anomalies TraceTail::anomalies() const {
  Anomalies total = finished_;
  total.unrecovered_rings += unrecovered_rings_;
  for (const auto& [rank, files] : ranks_) total += files.decoder.anomalies();
  return total;
}

}  // namespace pawl::trace
