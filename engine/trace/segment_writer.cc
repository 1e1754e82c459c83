#include "engine/trace/segment_writer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <variant>

#include "engine/base/files.h"
#include "engine/base/text.h"
#include "hooks/capture/frame.h"

namespace pawl::trace {
namespace {

constexpr uint64_t kMaxSegment = 64u << 20;
constexpr size_t kMaxBuffer = 1u << 20;
constexpr size_t kTail = 64u << 10;  // holds the last steps of most segments
constexpr size_t kChunk = 256u << 10;

uint64_t now_ns(clockid_t clock) {
  struct timespec now;
  ::clock_gettime(clock, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000u + static_cast<uint64_t>(now.tv_nsec);
}

std::string segment_path(const std::string& folder, uint32_t number) {
  return fmt::format("{}/{:06}.seg", folder, number);
}

Result<UniqueFd> open_segment(const std::string& path, uint64_t& size) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat status;
  if (!fd || ::fstat(fd.get(), &status) != 0) return errno_error("cannot read", path, errno);
  if (!S_ISREG(status.st_mode)) return Error(ErrorCode::invalid, "is no regular file", path);
  size = static_cast<uint64_t>(status.st_size);
  return fd;
}

// Calls `use` with every record from `offset` on, and returns whether the bytes end with a whole one.
template <class Use>
bool for_each_record(const UniqueFd& fd, uint64_t offset, Use use) {
  Decoder decoder;
  std::vector<uint8_t> chunk(kChunk);
  for (;;) {
    const ssize_t size = ::pread(fd.get(), chunk.data(), chunk.size(), static_cast<off_t>(offset));
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) break;
    offset += static_cast<uint64_t>(size);
    decoder.feed({chunk.data(), static_cast<size_t>(size)});
    while (auto record = decoder.next()) use(*record);
  }
  const Anomalies before = decoder.anomalies();
  decoder.finish();
  while (auto record = decoder.next()) use(*record);
  return decoder.anomalies() == before;
}

// The last training step that was ended.
struct LastStep {
  std::optional<StepBegin> open;
  std::optional<uint64_t> ended;

  void see(const Record& record) {
    if (const auto* begin = std::get_if<StepBegin>(&record)) open = *begin;
    if (std::get_if<StepEnd>(&record) == nullptr || !open) return;
    // More of an earlier step does not make it the last.
    if (open->mode == 0) ended = open->unordered ? std::max(open->step, ended.value_or(0)) : open->step;
    open.reset();
  }
};

std::optional<uint64_t> last_step_of(const UniqueFd& fd, uint64_t size) {
  for (const uint64_t offset : {size > kTail ? size - kTail : 0, uint64_t{0}}) {
    LastStep last;
    for_each_record(fd, offset, [&](const Record& record) { last.see(record); });
    if (last.ended || offset == 0) return last.ended;
  }
  return std::nullopt;
}

std::optional<std::string> producer_of(const UniqueFd& fd) {
  std::vector<uint8_t> start(wire::kFrameHeaderSize + sizeof(wire::HeaderPayload) + wire::kMaxName);
  const ssize_t size = ::pread(fd.get(), start.data(), start.size(), 0);
  if (size <= 0) return std::nullopt;
  Decoder decoder;
  decoder.feed({start.data(), static_cast<size_t>(size)});
  const auto first = decoder.next();
  const auto* header = first ? std::get_if<Header>(&*first) : nullptr;
  return header != nullptr ? std::optional(header->producer) : std::nullopt;
}

}  // namespace

SegmentWriter::SegmentWriter(std::string folder, uint32_t rank, uint32_t world_size, std::string producer)
    : folder_(std::move(folder)),
      rank_(rank),
      world_size_(world_size),
      producer_(std::move(producer)),
      start_ns_(now_ns(CLOCK_REALTIME)),
      directory_(std::make_unique<capture::RankDirectory>()) {}

Result<SegmentWriter> SegmentWriter::open(const std::string& trace_dir, uint32_t rank, uint32_t world_size,
                                          std::string producer) {
  SegmentWriter writer(fmt::format("{}/rank-{:05}", trace_dir, rank), rank, world_size, std::move(producer));
  capture::ErrorText error;
  const pawl_status locked = writer.directory_->lock(trace_dir.c_str(), rank, error);
  if (locked != PAWL_OK) {
    return Error(locked == PAWL_E_BUSY ? ErrorCode::conflict : ErrorCode::io, error.c_str());
  }
  writer.look_at_newest();
  return writer;
}

void SegmentWriter::look_at_newest() {
  const uint32_t newest = directory_->segment();
  for (uint32_t number = newest; number > 0; --number) {
    uint64_t size = 0;
    auto fd = open_segment(segment_path(folder_, number), size);
    if (fd.ok() && size == 0) continue;  // it was opened, and then nothing came
    const auto producer = fd.ok() ? producer_of(*fd) : std::nullopt;
    follows_another_ = producer != producer_;
    if (follows_another_ || number != newest || size >= kMaxSegment) return;
    goes_on_ = for_each_record(*fd, size > kTail ? size - kTail : 0, [](const Record&) {});
    return;
  }
}

Result<std::optional<uint64_t>> SegmentWriter::last_training_step() const {
  for (uint32_t number = directory_->segment(); number > 0; --number) {
    uint64_t size = 0;
    PAWL_ASSIGN(UniqueFd fd, open_segment(segment_path(folder_, number), size));
    if (const auto last = last_step_of(fd, size)) return last;
  }
  return std::optional<uint64_t>();
}

uint32_t SegmentWriter::declare(const LoggedValue& value) {
  const auto [at, is_new] =
      series_.try_emplace({value.name, value.kind}, static_cast<uint32_t>(series_.size()));
  if (!is_new) return at->second;
  const wire::SeriesPayload payload{at->second, static_cast<uint16_t>(value.kind), PAWL_F64, 0,
                                    static_cast<uint32_t>(value.name.size())};
  wire::append_frame(declarations_, wire::RecordType::series,
                     {{&payload, sizeof payload}, {value.name.data(), value.name.size()}});
  return at->second;
}

Result<void> SegmentWriter::add(const LoggedStep& step) {
  std::vector<wire::ScalarPayload> scalars;
  for (const LoggedValue& value : step.values) scalars.push_back({declare(value), 0, value.value});
  const uint64_t wall_now = now_ns(CLOCK_REALTIME);
  const uint64_t mono_now = now_ns(CLOCK_MONOTONIC);
  uint64_t wall = wall_now;
  const bool in_range = step.wall_time && *step.wall_time > 0 && *step.wall_time < 9e9;
  if (in_range) wall = std::min(wall_now, static_cast<uint64_t>(*step.wall_time * 1e9));
  // What was measured on another clock is put to ours, as if both had gone the same since.
  const auto mono = [&](uint64_t at) { return mono_now - std::min(mono_now, wall_now - at); };
  const uint64_t begin = last_wall_ns_ != 0 ? std::min(last_wall_ns_, wall) : wall;
  last_wall_ns_ = wall;
  const auto append = [&](wire::RecordType type, const auto& payload) {
    wire::append_frame(buffer_, type, {{&payload, sizeof payload}});
  };
  append(wire::RecordType::step_begin,
         wire::StepBeginPayload{step.step, step.eval ? 1u : 0u, step.unordered ? wire::kStepUnordered : 0,
                                begin, mono(begin)});
  for (const wire::ScalarPayload& scalar : scalars) append(wire::RecordType::scalar, scalar);
  append(wire::RecordType::step_end, wire::StepEndPayload{step.step, wall, mono(wall)});
  return buffer_.size() < kMaxBuffer ? Result<void>() : flush();
}

void SegmentWriter::append_header(std::vector<uint8_t>& out) const {
  const wire::HeaderPayload payload{wire::kFormatVersion,
                                    rank_,
                                    world_size_,
                                    static_cast<uint32_t>(::getpid()),
                                    start_ns_,
                                    now_ns(CLOCK_REALTIME),
                                    now_ns(CLOCK_MONOTONIC),
                                    directory_->segment(),
                                    static_cast<uint32_t>(producer_.size())};
  wire::append_frame(out, wire::RecordType::header,
                     {{&payload, sizeof payload}, {producer_.data(), producer_.size()}});
}

Result<void> SegmentWriter::flush() {
  if (buffer_.empty()) return {};
  const std::vector<uint8_t> bytes = std::exchange(buffer_, {});
  capture::ErrorText error;
  std::vector<uint8_t> header;
  if (!directory_->has_segment() || directory_->segment_size() >= kMaxSegment) {
    const bool opened = std::exchange(goes_on_, false) ? directory_->continue_segment(error)
                                                       : directory_->open_segment(error);
    if (!opened) return Error(ErrorCode::io, error.c_str());
    append_header(header);
    declarations_written_ = 0;
  }
  const auto part = [](const std::vector<uint8_t>& of, size_t from = 0) {
    return iovec{const_cast<uint8_t*>(of.data()) + from, of.size() - from};
  };
  const iovec parts[] = {part(header), part(declarations_, declarations_written_), part(bytes)};
  if (!directory_->append(parts, static_cast<int>(std::size(parts)), error)) {
    return Error(ErrorCode::io, error.c_str());
  }
  declarations_written_ = declarations_.size();
  return {};
}

Result<void> SegmentWriter::close() {
  if (!buffer_.empty() || directory_->has_segment()) {
    const wire::EndPayload payload{now_ns(CLOCK_REALTIME), now_ns(CLOCK_MONOTONIC), 0};
    wire::append_frame(buffer_, wire::RecordType::end, {{&payload, sizeof payload}});
  }
  return flush();
}

}  // namespace pawl::trace
