#include "engine/trace/format.h"

#include <algorithm>
#include <cstring>

#include "engine/base/text.h"
#include "hooks/capture/wire.h"

namespace pawl::trace {

namespace {

constexpr std::array<std::string_view, kKinds> kKindNames = {
    "scalar", "loss",  "weight",          "bias",           "gradient",           "activation",
    "update", "input", "optimizer_state", "local_gradient", "unclipped_gradient", "span",
    "batch",  "hash"};
constexpr std::array<std::string_view, 10> kDtypeNames = {"f32", "f64", "f16", "bf16", "i8",
                                                          "i16", "i32", "i64", "u8",   "bool"};

// Takes layouts, arrays and texts off the front of a payload.
class Reader {
 public:
  explicit Reader(std::span<const uint8_t> bytes) : bytes_(bytes) {}

  template <class Layout>
  bool take(Layout& out) {
    return take_bytes(&out, sizeof out);
  }
  template <class Number>
  bool take(std::vector<Number>& out, size_t count) {
    if (count > bytes_.size() / sizeof(Number)) return false;
    out.resize(count);
    return take_bytes(out.data(), count * sizeof(Number));
  }
  bool take(std::string& out, size_t size) {
    if (size > bytes_.size()) return false;
    const auto* text = reinterpret_cast<const char*>(bytes_.data());
    out = to_valid_utf8({text, size});
    bytes_ = bytes_.subspan(size);
    return true;
  }

 private:
  bool take_bytes(void* out, size_t size) {
    if (size > bytes_.size()) return false;
    if (size > 0) std::memcpy(out, bytes_.data(), size);
    bytes_ = bytes_.subspan(size);
    return true;
  }

  std::span<const uint8_t> bytes_;
};

std::optional<Record> decode_header(Reader in) {
  wire::HeaderPayload p;
  Header out;
  if (!in.take(p) || p.producer_bytes > wire::kMaxName || !in.take(out.producer, p.producer_bytes)) return {};
  out.version = p.version;
  out.rank = p.rank;
  out.world_size = p.world_size;
  out.pid = p.pid;
  out.start_ns = p.start_ns;
  out.wall_ns = p.wall_ns;
  out.mono_ns = p.mono_ns;
  out.segment = p.segment;
  return out;
}

std::optional<Record> decode_series(Reader in) {
  wire::SeriesPayload p;
  if (!in.take(p) || p.kind >= kKinds || p.dtype >= kDtypeNames.size()) return {};
  if (p.dims > wire::kMaxDims || p.name_bytes == 0 || p.name_bytes > wire::kMaxName) return {};
  SeriesDeclaration out{p.id, static_cast<Kind>(p.kind), static_cast<Dtype>(p.dtype), {}, {}};
  if (!in.take(out.shape, p.dims) || !in.take(out.name, p.name_bytes)) return {};
  return out;
}

std::optional<Record> decode_request(Reader in) {
  wire::RequestPayload p;
  Request out;
  if (!in.take(p) || p.text_bytes > wire::kMaxRequest || !in.take(out.text, p.text_bytes)) return {};
  out.generation = p.generation;
  out.own_decision = p.origin != 0;
  return out;
}

std::optional<Record> decode_raw_tensor(Reader in) {
  wire::RawTensorPayload p;
  RawPiece out;
  if (!in.take(p) || p.total == 0 || p.total > wire::kMaxRawTensor || p.offset > p.total ||
      p.bytes > p.total - p.offset)
    return {};
  if (!in.take(out.bytes, p.bytes)) return {};
  out.series = p.series;
  out.total = p.total;
  out.offset = p.offset;
  return out;
}

std::optional<Record> decode_batch(Reader in) {
  wire::BatchPayload p;
  Of<Batch> out;
  if (!in.take(p) || p.classes > wire::kMaxClasses || !in.take(out.value.label_counts, p.classes)) return {};
  out.series = p.series;
  out.value.digest = p.digest;
  out.value.examples = p.examples;
  return out;
}

std::optional<Record> decode_fine_histogram(Reader in) {
  wire::FineHistogramPayload p;
  Of<FineHistogram> out;
  if (!in.take(p) || p.bins != wire::kFineBins || !in.take(out.value.bins, p.bins)) return {};
  out.series = p.series;
  out.value.sampled = p.sampled;
  return out;
}

std::optional<Record> decode_available(Reader in) {
  wire::AvailablePayload p;
  if (!in.take(p) || p.kind >= kKinds || p.name_bytes == 0 || p.name_bytes > wire::kMaxName) return {};
  Available out{static_cast<Kind>(p.kind), {}};
  if (!in.take(out.name, p.name_bytes)) return {};
  return out;
}

std::optional<Record> decode_stats(Reader in) {
  wire::StatsPayload p;
  if (!in.take(p)) return {};
  StatsValue out{p.series, {p.count, p.nan, p.inf, p.zero, p.min, p.max, p.sum, p.abs_sum, p.square_sum, {}}};
  std::copy(std::begin(p.magnitude), std::end(p.magnitude), out.stats.magnitude.begin());
  return out;
}

// The record of a fixed layout, built by `convert`.
template <class Layout, class Convert>
std::optional<Record> decode_fixed(Reader in, Convert convert) {
  Layout p;
  if (!in.take(p)) return {};
  return convert(p);
}

bool known(uint16_t type) {
  using enum wire::RecordType;
  return (type >= static_cast<uint16_t>(header) && type <= static_cast<uint16_t>(end)) ||
         (type >= static_cast<uint16_t>(raw_tensor) && type <= static_cast<uint16_t>(fine_histogram));
}

std::optional<Record> decode_known(wire::RecordType type, Reader in) {
  using enum wire::RecordType;
  switch (type) {
    case header:
      return decode_header(in);
    case series:
      return decode_series(in);
    case stats:
      return decode_stats(in);
    case request:
      return decode_request(in);
    case available:
      return decode_available(in);
    case raw_tensor:
      return decode_raw_tensor(in);
    case batch:
      return decode_batch(in);
    case fine_histogram:
      return decode_fine_histogram(in);
    case span:
      return decode_fixed<wire::SpanPayload>(in, [](const auto& p) -> std::optional<Record> {
        if (p.end_ns < p.begin_ns) return {};
        return Of<Span>{p.series, {p.begin_ns, p.end_ns}};
      });
    case hash:
      return decode_fixed<wire::HashPayload>(in,
                                             [](const auto& p) { return Of<Digest>{p.series, {p.digest}}; });
    case step_begin:
      return decode_fixed<wire::StepBeginPayload>(in, [](const auto& p) {
        return StepBegin{p.step, p.mode, p.wall_ns, p.mono_ns, (p.flags & wire::kStepUnordered) != 0};
      });
    case scalar:
      return decode_fixed<wire::ScalarPayload>(in,
                                               [](const auto& p) { return ScalarValue{p.series, p.value}; });
    case step_end:
      return decode_fixed<wire::StepEndPayload>(
          in, [](const auto& p) { return StepEnd{p.step, p.wall_ns, p.mono_ns}; });
    case dropped:
      return decode_fixed<wire::DroppedPayload>(in, [](const auto& p) { return Dropped{p.total}; });
    case end:
      return decode_fixed<wire::EndPayload>(
          in, [](const auto& p) { return End{p.wall_ns, p.mono_ns, p.dropped}; });
  }
  return {};
}

bool good_header(const uint8_t* frame, const wire::FrameHeader& header) {
  return header.sync == wire::kSync && header.length <= wire::kMaxPayload &&
         header.check == wire::header_check(frame);
}

}  // namespace

std::string_view to_string(Kind kind) {
  const auto index = static_cast<size_t>(kind);
  return index < kKindNames.size() ? kKindNames[index] : "unknown";
}

std::optional<Kind> parse_kind(std::string_view name) {
  const auto found = std::find(kKindNames.begin(), kKindNames.end(), name);
  if (found == kKindNames.end()) return std::nullopt;
  return static_cast<Kind>(found - kKindNames.begin());
}

std::string_view to_string(Dtype dtype) {
  const auto index = static_cast<size_t>(dtype);
  return index < kDtypeNames.size() ? kDtypeNames[index] : "unknown";
}

Anomalies& Anomalies::operator+=(const Anomalies& other) {
  skipped_bytes += other.skipped_bytes;
  damaged_frames += other.damaged_frames;
  malformed_records += other.malformed_records;
  unknown_records += other.unknown_records;
  unsupported_records += other.unsupported_records;
  unrecovered_rings += other.unrecovered_rings;
  return *this;
}

void Decoder::feed(std::span<const uint8_t> bytes) {
  buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<ptrdiff_t>(at_));
  at_ = 0;
  buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
}

std::optional<Record> Decoder::next() {
  while (at_ < buffer_.size()) {
    const uint8_t* frame = buffer_.data() + at_;
    const size_t available = buffer_.size() - at_;
    wire::FrameHeader header;
    if (available < sizeof header) {
      if (!finished_) return std::nullopt;
      resync();
      continue;
    }
    std::memcpy(&header, frame, sizeof header);
    if (!good_header(frame, header)) {
      resync();
      continue;
    }
    const size_t size = sizeof header + header.length;
    if (available < size) {
      if (!finished_) return std::nullopt;
      resync();
      continue;
    }
    at_ += size;
    const uint8_t* payload = frame + sizeof header;
    if (wire::crc32c(payload, header.length, wire::crc32c(frame, 12)) != header.crc) {
      // The header was good, so its length is: going on behind it costs one record, and linear time whatever
      // the bytes are.
      ++anomalies_.damaged_frames;
      continue;
    }
    if (auto record = decode(header.type, {payload, header.length})) return record;
  }
  return std::nullopt;
}

std::optional<Record> Decoder::decode(uint16_t type, std::span<const uint8_t> payload) {
  const bool is_header = type == static_cast<uint16_t>(wire::RecordType::header);
  if (!supported_ && !is_header) {
    ++anomalies_.unsupported_records;
    return std::nullopt;
  }
  if (!known(type)) {
    ++anomalies_.unknown_records;
    return std::nullopt;
  }
  auto record = decode_known(static_cast<wire::RecordType>(type), Reader(payload));
  if (!record) {
    ++anomalies_.malformed_records;
    return std::nullopt;
  }
  if (const auto* header = std::get_if<Header>(&*record)) {
    supported_ = header->version == wire::kFormatVersion;
    if (!supported_) {
      ++anomalies_.unsupported_records;
      return std::nullopt;
    }
  }
  return record;
}

// Goes to the next place after at_ where a sync word starts, or could start once more bytes are there.
void Decoder::resync() {
  const auto* sync = reinterpret_cast<const uint8_t*>(&wire::kSync);
  const auto from = buffer_.begin() + static_cast<ptrdiff_t>(at_);
  auto found = std::search(from + 1, buffer_.end(), sync, sync + sizeof wire::kSync);
  if (found == buffer_.end() && !finished_) {
    const auto tail = std::min<ptrdiff_t>(buffer_.end() - (from + 1), sizeof wire::kSync - 1);
    found -= tail;
  }
  anomalies_.skipped_bytes += static_cast<uint64_t>(found - from);
  at_ += static_cast<size_t>(found - from);
}

}  // namespace pawl::trace
