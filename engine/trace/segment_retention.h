// Keeps the segments of an attempt within a size while it runs: the oldest are deleted, but only once
// trace.db has everything that is in them.
//
// Threads: confined to one.
#pragma once

#include <cstdint>
#include <deque>
#include <span>

#include "engine/trace/steps.h"
#include "engine/trace/tail.h"

namespace pawl::trace {

inline constexpr uint64_t kSegmentsLimit = 4ull << 30;
inline constexpr const char* kSegmentsDeleted = "segments_deleted";  // in `meta` of trace.db, where any were

class SegmentRetention {
 public:
  // `limit_bytes`: of the segments that are complete.
  explicit SegmentRetention(uint64_t limit_bytes = kSegmentsLimit) : limit_(limit_bytes) {}

  // Call it with what `tail` has left since the last call, when all it has read was given to the assembler.
  void add(std::span<const FinishedSegment> segments, std::span<const RankProgress> progress);

  // Call it when no step waits for a rank and trace.db is committed. True when any were deleted.
  bool trim(TraceTail& tail, std::span<const RankProgress> progress);

 private:
  struct Kept {
    FinishedSegment segment;
    uint64_t completed = 0;  // steps of its rank when it was left: the next may have begun in it
  };
  uint64_t limit_;
  uint64_t bytes_ = 0;
  std::deque<Kept> kept_;  // in the order in which they were left
};

}  // namespace pawl::trace
