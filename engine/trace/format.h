// Decoding of trace segments (specified in schema/trace.md). Pure: bytes in, records out.
//
// The decoder never throws a trace away: what it cannot use is counted in Anomalies and it goes on with the
// next good record.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace pawl::trace {

// What a series is; the values are those of pawl_kind in pawl/capture.h.
enum class Kind : uint8_t {
  scalar,
  loss,
  weight,
  bias,
  gradient,
  activation,
  update,
  input,
  optimizer_state,
  local_gradient,
  unclipped_gradient,
  span,
  batch,
  hash,
};
inline constexpr size_t kKinds = 14;
std::string_view to_string(Kind kind);  // "scalar", "loss", ...
std::optional<Kind> parse_kind(std::string_view name);

enum class Dtype : uint8_t { f32, f64, f16, bf16, i8, i16, i32, i64, u8, boolean };
std::string_view to_string(Dtype dtype);  // "f32", ..., "bool"

// One pass over a tensor. Sums, min and max are over its finite elements (0 when there is none).
// magnitude[k] counts finite non-zero elements with floor(log2|x|) in [2k-20, 2k-18), clamped at both ends.
struct TensorStats {
  uint64_t count = 0;
  uint64_t nan = 0;
  uint64_t inf = 0;
  uint64_t zero = 0;
  double min = 0;
  double max = 0;
  double sum = 0;
  double abs_sum = 0;
  double square_sum = 0;
  std::array<uint64_t, 16> magnitude{};
  bool operator==(const TensorStats&) const = default;
};

// Start of a segment. (pid, start_ns) names the process. Times are nanoseconds: wall since 1970 UTC, mono on
// the rank's CLOCK_MONOTONIC.
struct Header {
  uint32_t version = 0;
  uint32_t rank = 0;
  uint32_t world_size = 0;
  uint32_t pid = 0;
  uint64_t start_ns = 0;
  uint64_t wall_ns = 0;
  uint64_t mono_ns = 0;
  uint32_t segment = 0;
  std::string producer;  // valid UTF-8, as all text here
  bool operator==(const Header&) const = default;
};

struct SeriesDeclaration {
  uint32_t id = 0;
  Kind kind = Kind::scalar;
  Dtype dtype = Dtype::f32;
  std::vector<int64_t> shape;
  std::string name;
  bool operator==(const SeriesDeclaration&) const = default;
};

struct StepBegin {
  uint64_t step = 0;
  uint32_t mode = 0;
  uint64_t wall_ns = 0;
  uint64_t mono_ns = 0;
  bool unordered = false;  // a number that does not grow does not mean that training went back
  bool operator==(const StepBegin&) const = default;
};

struct ScalarValue {
  uint32_t series = 0;
  double value = 0;
  bool operator==(const ScalarValue&) const = default;
};

struct StatsValue {
  uint32_t series = 0;
  TensorStats stats;
  bool operator==(const StatsValue&) const = default;
};

// A piece of a tensor's safetensors document.
struct RawPiece {
  uint32_t series = 0;
  uint64_t total = 0;   // bytes of the document
  uint64_t offset = 0;  // of the piece
  std::vector<uint8_t> bytes;
  bool operator==(const RawPiece&) const = default;
};

// A stretch of time of the rank's CLOCK_MONOTONIC.
struct Span {
  uint64_t begin_ns = 0;
  uint64_t end_ns = 0;
  bool operator==(const Span&) const = default;
};

// Which examples a step was given. The same digest means the same examples.
struct Batch {
  uint64_t digest = 0;
  uint64_t examples = 0;
  std::vector<uint64_t> label_counts;  // empty: no labels
  bool operator==(const Batch&) const = default;
};

// Of a parameter: replicas that agree have the same.
struct Digest {
  uint64_t value = 0;
  bool operator==(const Digest&) const = default;
};

// Of a sample of a tensor's elements; the bins are those of pawl_fine_histogram.
struct FineHistogram {
  uint64_t sampled = 0;
  std::vector<uint32_t> bins;
  bool operator==(const FineHistogram&) const = default;
};

// A record of one series.
template <class Value>
struct Of {
  uint32_t series = 0;
  Value value;
  bool operator==(const Of&) const = default;
};

struct StepEnd {
  uint64_t step = 0;
  uint64_t wall_ns = 0;
  uint64_t mono_ns = 0;
  bool operator==(const StepEnd&) const = default;
};

struct Dropped {
  uint64_t total = 0;  // records the process has dropped so far
  bool operator==(const Dropped&) const = default;
};

struct End {
  uint64_t wall_ns = 0;
  uint64_t mono_ns = 0;
  uint64_t dropped = 0;
  bool operator==(const End&) const = default;
};

// From here on the rank records what the request says: it was changed while the training runs.
struct Request {
  uint64_t generation = 0;
  bool own_decision = false;  // of the hook, to stay within its budget; false: somebody asked for it
  std::string text;
  bool operator==(const Request&) const = default;
};

// A series that could be recorded, asked for or not.
struct Available {
  Kind kind = Kind::scalar;
  std::string name;
  bool operator==(const Available&) const = default;
};

using Record =
    std::variant<Header, SeriesDeclaration, StepBegin, ScalarValue, StatsValue, StepEnd, Dropped, End,
                 Request, Available, RawPiece, Of<Span>, Of<Batch>, Of<Digest>, Of<FineHistogram>>;

struct Anomalies {
  uint64_t skipped_bytes = 0;        // not part of any good frame
  uint64_t damaged_frames = 0;       // the header was good, the payload was not
  uint64_t malformed_records = 0;    // a good frame whose content makes no sense
  uint64_t unknown_records = 0;      // of a type this version does not know
  uint64_t unsupported_records = 0;  // after a header of another format version
  uint64_t unrecovered_rings = 0;    // of ranks that were killed: what is in them is not in the segments
  bool operator==(const Anomalies&) const = default;
  Anomalies& operator+=(const Anomalies& other);
};

// Decodes one segment. Feed bytes in chunks of any size, take records until there is none; how the bytes were
// cut makes no difference. Holds at most one record's bytes beyond what was fed since. A value type.
class Decoder {
 public:
  void feed(std::span<const uint8_t> bytes);

  // The next record; nullopt when more bytes are needed.
  std::optional<Record> next();

  // No more bytes will come: an incomplete frame at the end is damage, and what is inside it is looked at
  // once more. Call next() until nullopt afterwards.
  void finish() { finished_ = true; }

  const Anomalies& anomalies() const { return anomalies_; }

 private:
  std::optional<Record> decode(uint16_t type, std::span<const uint8_t> payload);
  void resync();

  std::vector<uint8_t> buffer_;
  size_t at_ = 0;  // consumed
  bool finished_ = false;
  bool supported_ = true;
  Anomalies anomalies_;
};

}  // namespace pawl::trace
