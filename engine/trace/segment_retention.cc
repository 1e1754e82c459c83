#include "engine/trace/segment_retention.h"

#include <algorithm>

namespace pawl::trace {
namespace {

uint64_t completed_by(uint32_t rank, std::span<const RankProgress> progress) {
  const auto known = std::ranges::find(progress, rank, &RankProgress::rank);
  return known == progress.end() ? 0 : known->completed;
}

}  // namespace

void SegmentRetention::add(std::span<const FinishedSegment> segments,
                           std::span<const RankProgress> progress) {
  for (const FinishedSegment& segment : segments) {
    kept_.push_back({segment, completed_by(segment.rank, progress)});
    bytes_ += segment.bytes;
  }
}

bool SegmentRetention::trim(TraceTail& tail, std::span<const RankProgress> progress) {
  bool any = false;
  while (bytes_ > limit_ && !kept_.empty()) {
    const Kept& oldest = kept_.front();
    if (completed_by(oldest.segment.rank, progress) <= oldest.completed) break;
    tail.remove(oldest.segment);
    bytes_ -= oldest.segment.bytes;
    kept_.pop_front();
    any = true;
  }
  return any;
}

}  // namespace pawl::trace
