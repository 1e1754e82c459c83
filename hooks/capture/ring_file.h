// The file `ring` of a rank, as the process that records and whoever completes what it left see it:
// schema/trace.md is the specification, this file is its layout. Needs nothing but the compiler.
//
// A page, `capacity` bytes of ring, then the declarations of all series in their order. Records are copied
// into the ring through a shared mapping, so they are the kernel's as soon as `head` says so, whatever
// becomes of the process. What the writer thread is about to append to a segment it says in a batch first:
// with the size of the segment file that tells which bytes have arrived there.
#pragma once

#include <cstddef>
#include <cstdint>

#include "hooks/capture/wire.h"

namespace pawl::wire {

inline constexpr char kRingName[] = "ring";
inline constexpr char kDamagedRingName[] = "ring.damaged";  // one that nobody could use
inline constexpr uint32_t kRingMagic = 0x524c5750;          // bytes "PWLR"
inline constexpr uint32_t kRingVersion = 1;
inline constexpr uint64_t kMaxRing = uint64_t{1} << 32;
inline constexpr uint64_t kMaxDeclared = uint64_t{1} << 28;  // those behind it are not in the file

// Bytes that belong behind each other into one segment: `before`, declarations, records, `after`. Positions
// count all bytes ever written.
struct RingBatch {
  uint32_t segment;       // 0: what was there is settled, and what follows goes into a new segment
  uint32_t before_bytes;  // a whole header record: that of a new segment, or to make one of if it is 0
  uint32_t after_bytes;   // dropped count, end
  uint32_t reserved;
  uint64_t segment_size;  // without the batch
  uint64_t declared_from;
  uint64_t declared_to;
  uint64_t from;
  uint64_t to;
  uint64_t dropped;  // records, as the segment says once it has the batch
  uint8_t after[64];
  uint8_t before[kFrameHeaderSize + sizeof(HeaderPayload) + kMaxName];
};
static_assert(sizeof(RingBatch) == 4288);

struct RingPage {
  uint32_t magic;  // kRingMagic, written last; 0: nothing was recorded yet
  uint32_t version;
  char boot[40];       // id of the machine's boot: what a crash of it left of a mapping is not to be trusted
  uint64_t capacity;   // a power of two
  uint64_t head;       // end of the records
  uint64_t declared;   // bytes of declarations that are in the file
  uint64_t announced;  // counts batches; the last is batches[announced % 2]
  uint64_t dropped;    // records that the process has dropped so far
  RingBatch batches[2];
};
static_assert(sizeof(RingPage) == 8664);
inline constexpr uint64_t kRingOffset = 12288;  // of the ring in the file
static_assert(sizeof(RingPage) <= kRingOffset);

}  // namespace pawl::wire
