// Building frames of the segment format (wire.h) in memory.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <vector>

#include "hooks/capture/wire.h"

namespace pawl::wire {

template <class Payload>
using FixedFrame = std::array<uint8_t, kFrameHeaderSize + sizeof(Payload)>;

template <class Payload>
FixedFrame<Payload> make_frame(RecordType type, const Payload& payload) {
  FixedFrame<Payload> frame;
  std::memcpy(frame.data() + kFrameHeaderSize, &payload, sizeof payload);
  seal_frame(frame.data(), type, sizeof payload);
  return frame;
}

struct Part {
  const void* data;
  size_t size;
};

// Appends one frame whose payload is the parts in order; together at most kMaxPayload bytes.
inline void append_frame(std::vector<uint8_t>& out, RecordType type, std::initializer_list<Part> parts) {
  const size_t start = out.size();
  out.resize(start + kFrameHeaderSize);
  for (const Part& part : parts) {
    const auto* bytes = static_cast<const uint8_t*>(part.data);
    out.insert(out.end(), bytes, bytes + part.size);
  }
  seal_frame(out.data() + start, type, static_cast<uint32_t>(out.size() - start - kFrameHeaderSize));
}

}  // namespace pawl::wire
