// The trace segment format and the control page, as both sides of them see it: schema/trace.md is the
// specification, this file is its constants and layouts. Needs nothing but the compiler.
//
// A segment is a sequence of frames: a 16-byte header, then `length` bytes of payload. All numbers are
// little-endian, without padding. Every frame is a resync point: a reader that meets damage looks for the
// next sync word whose header check agrees. A payload may be longer than its layout here (a later version
// added fields at the end); readers ignore the rest, and skip types they do not know.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "hooks/capture/crc32c.h"

namespace pawl::wire {

static_assert(std::endian::native == std::endian::little, "the format is little-endian and so is this code");

inline constexpr uint32_t kFormatVersion = 1;
// Bytes f5 50 57 4c ("\xf5PWL"): f5 occurs in no UTF-8 text, so no name can hold a sync word.
inline constexpr uint32_t kSync = 0x4c5750f5;
inline constexpr uint32_t kMaxPayload = 1u << 20;
inline constexpr uint32_t kMaxName = 4096;
inline constexpr uint32_t kMaxDims = 64;
inline constexpr size_t kMagnitudeBuckets = 16;
inline constexpr size_t kFineBins = 256;
inline constexpr uint32_t kMaxClasses = 65536;
inline constexpr uint64_t kMaxRawTensor = 64u << 20;

enum class RecordType : uint16_t {
  header = 1,
  series = 2,
  step_begin = 3,
  scalar = 4,
  stats = 5,
  step_end = 6,
  dropped = 7,
  end = 8,
  raw_tensor = 16,
  span = 17,
  batch = 18,
  hash = 19,
  request = 20,
  available = 21,
  fine_histogram = 22,
};

struct FrameHeader {
  uint32_t sync;    // kSync
  uint32_t length;  // of the payload, at most kMaxPayload
  uint16_t type;
  uint16_t check;  // low half of the CRC-32C of the ten bytes before it
  uint32_t crc;    // CRC-32C of the twelve bytes before it and the payload
};
inline constexpr size_t kFrameHeaderSize = 16;
static_assert(sizeof(FrameHeader) == kFrameHeaderSize);

// The first frame of every segment. (pid, start_ns) names the process: the same pair in a later segment means
// that the process went on, another one that the rank was started again.
struct HeaderPayload {
  uint32_t version;
  uint32_t rank;
  uint32_t world_size;
  uint32_t pid;
  uint64_t start_ns;  // when the process opened its trace; nanoseconds since 1970 UTC
  uint64_t wall_ns;   // now, the same moment on both clocks: joins the monotonic times of several ranks
  uint64_t mono_ns;   // CLOCK_MONOTONIC
  uint32_t segment;   // the number in the file's name
  uint32_t producer_bytes;
  // char producer[producer_bytes]
};
static_assert(sizeof(HeaderPayload) == 48);

// Says what an id means in the records of this process. Repeated at the start of every segment.
struct SeriesPayload {
  uint32_t id;
  uint16_t kind;   // pawl_kind
  uint16_t dtype;  // pawl_dtype
  uint32_t dims;
  uint32_t name_bytes;
  // int64_t shape[dims], char name[name_bytes]
};
static_assert(sizeof(SeriesPayload) == 16);

// Scalars and statistics belong to the step begun last.
struct StepBeginPayload {
  uint64_t step;
  uint32_t mode;   // 0 train, 1 eval
  uint32_t flags;  // kStepUnordered; bits that are not known are ignored
  uint64_t wall_ns;
  uint64_t mono_ns;
};
static_assert(sizeof(StepBeginPayload) == 32);
// That the number does not grow does not mean that training went back: this is more of a step, or one that is
// told late.
inline constexpr uint32_t kStepUnordered = 1;

struct ScalarPayload {
  uint32_t series;
  uint32_t reserved;
  double value;
};
static_assert(sizeof(ScalarPayload) == 16);

struct StatsPayload {
  uint32_t series;
  uint32_t reserved;
  uint64_t count;
  uint64_t nan;
  uint64_t inf;
  uint64_t zero;
  double min;
  double max;
  double sum;
  double abs_sum;
  double square_sum;
  uint64_t magnitude[kMagnitudeBuckets];
};
static_assert(sizeof(StatsPayload) == 208);

// A piece of a tensor's values: `bytes` at `offset` of a safetensors document of `total` bytes. The pieces of
// one tensor follow each other, from offset 0 on; nothing else comes between them.
struct RawTensorPayload {
  uint32_t series;
  uint32_t bytes;
  uint64_t total;  // at most kMaxRawTensor
  uint64_t offset;
  // uint8_t data[bytes]
};
static_assert(sizeof(RawTensorPayload) == 24);
inline constexpr size_t kRawPiece = 64u << 10;  // bytes of a piece, but for the last

// A stretch of time within the step.
struct SpanPayload {
  uint32_t series;
  uint32_t reserved;
  uint64_t begin_ns;  // CLOCK_MONOTONIC, as the step's
  uint64_t end_ns;
};
static_assert(sizeof(SpanPayload) == 24);

// What a batch was: two steps or two ranks that were given the same examples have the same digest.
struct BatchPayload {
  uint32_t series;
  uint32_t classes;  // at most kMaxClasses; 0: no labels
  uint64_t digest;
  uint64_t examples;
  // uint64_t label_counts[classes]
};
static_assert(sizeof(BatchPayload) == 24);

// The digest of a parameter's bytes: replicas that agree have the same.
struct HashPayload {
  uint32_t series;
  uint32_t reserved;
  uint64_t digest;
};
static_assert(sizeof(HashPayload) == 16);

struct FineHistogramPayload {
  uint32_t series;
  uint32_t bins;     // kFineBins
  uint64_t sampled;  // elements looked at
  // uint32_t counts[bins]
};
static_assert(sizeof(FineHistogramPayload) == 16);

struct StepEndPayload {
  uint64_t step;
  uint64_t wall_ns;
  uint64_t mono_ns;
};
static_assert(sizeof(StepEndPayload) == 24);

struct DroppedPayload {
  uint64_t total;  // records this process has dropped so far
};
static_assert(sizeof(DroppedPayload) == 8);

// The process closed its trace: nothing follows from it.
struct EndPayload {
  uint64_t wall_ns;
  uint64_t mono_ns;
  uint64_t dropped;
};
static_assert(sizeof(EndPayload) == 24);

// From here on this rank records what the request says: one that was changed while it trains.
struct RequestPayload {
  uint64_t generation;
  uint32_t text_bytes;  // at most kMaxRequest
  uint32_t origin;      // 0: somebody asked for it; 1: the hook itself, to stay within its budget
  // char text[text_bytes]
};
static_assert(sizeof(RequestPayload) == 16);

// A series that could be recorded, asked for or not. Repeated at the start of every segment.
struct AvailablePayload {
  uint16_t kind;  // pawl_kind
  uint16_t reserved;
  uint32_t name_bytes;
  // char name[name_bytes]
};
static_assert(sizeof(AvailablePayload) == 8);

inline uint16_t header_check(const uint8_t* frame) {
  return static_cast<uint16_t>(crc32c(frame, 10));
}

// Writes the header of a frame whose payload of `length` bytes is already at frame + kFrameHeaderSize.
inline void seal_frame(uint8_t* frame, RecordType type, uint32_t length) {
  FrameHeader header{kSync, length, static_cast<uint16_t>(type), 0, 0};
  std::memcpy(frame, &header, sizeof header);
  header.check = header_check(frame);
  std::memcpy(frame, &header, sizeof header);
  header.crc = crc32c(frame + kFrameHeaderSize, length, crc32c(frame, 12));
  std::memcpy(frame, &header, sizeof header);
}

// The attempt's `control` file: written by the supervisor in place and never truncated, mapped read-only by
// the ranks. The supervisor changes the request first, then `generation`; `stop` stands alone. A rank that
// reads while it is changed finds that the CRC does not fit, and asks again.
struct ControlPage {
  uint32_t magic;  // kControlMagic; anything else: not written yet
  uint32_t version;
  uint64_t generation;  // grows with every change of the capture request
  uint32_t stop;        // not 0: leave at the end of this step
  uint32_t reserved;
};
static_assert(sizeof(ControlPage) == 24);
inline constexpr uint32_t kControlMagic = 0x434c5750;  // bytes "PWLC"
inline constexpr uint32_t kControlVersion = 1;
inline constexpr size_t kControlStopOffset = offsetof(ControlPage, stop);
inline constexpr size_t kControlGenerationOffset = offsetof(ControlPage, generation);

// What is to be recorded, behind the page.
struct ControlRequest {
  uint32_t text_bytes;  // at most kMaxRequest
  uint32_t crc;         // CRC-32C of the text
  // char text[text_bytes]
};
static_assert(sizeof(ControlRequest) == 8);
inline constexpr size_t kControlBytes = 65536;  // of the whole file
inline constexpr size_t kControlTextOffset = sizeof(ControlPage) + sizeof(ControlRequest);
inline constexpr size_t kMaxRequest = kControlBytes - kControlTextOffset;

}  // namespace pawl::wire
