// Trace segments from outside: the decoder on raw bytes, and, since a CRC keeps random bytes out, frames made
// valid around the input for what is behind it. Also checks that the cut into chunks makes no difference.
//
// The first byte chooses: even, the rest is a segment; odd, the rest is a list of (rank, type, length,
// payload).
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>
#include <vector>

#include "engine/trace/format.h"
#include "engine/trace/steps.h"
#include "hooks/capture/frame.h"

namespace {

using pawl::trace::Anomalies;
using pawl::trace::Decoder;
using pawl::trace::Record;

struct Decoded {
  size_t records = 0;
  Anomalies anomalies;
  bool operator==(const Decoded&) const = default;
};

// Hands every record to the assembler as one of two ranks, with a clock that moves.
class Assembly {
 public:
  void add(uint32_t rank, const Record& record) {
    assembler_.add(rank, record, now_ms_);
    now_ms_ += 50;
    steps_ += assembler_.take(now_ms_).size();
  }
  void finish() {
    steps_ += assembler_.finish().size();
    for (const auto& progress : assembler_.progress()) {
      if (progress.last_step_ms > now_ms_) std::abort();
    }
  }

 private:
  pawl::trace::StepAssembler assembler_{{.expected_ranks = 2}};
  int64_t now_ms_ = 0;
  size_t steps_ = 0;
};

Decoded decode(std::span<const uint8_t> bytes, size_t chunk, Assembly* assembly) {
  Decoder decoder;
  Decoded out;
  const auto take = [&] {
    while (auto record = decoder.next()) {
      if (assembly != nullptr) assembly->add(static_cast<uint32_t>(out.records % 2), *record);
      ++out.records;
    }
  };
  for (size_t at = 0; at < bytes.size(); at += chunk) {
    decoder.feed(bytes.subspan(at, std::min(chunk, bytes.size() - at)));
    take();
  }
  decoder.finish();
  take();
  out.anomalies = decoder.anomalies();
  return out;
}

void raw(std::span<const uint8_t> bytes) {
  Assembly assembly;
  const Decoded whole = decode(bytes, bytes.size() + 1, &assembly);
  assembly.finish();
  for (const size_t chunk : {1, 13, 64}) {
    if (!(decode(bytes, chunk, nullptr) == whole)) std::abort();
  }
}

void framed(std::span<const uint8_t> bytes) {
  Assembly assembly;
  Decoder decoders[2];
  while (bytes.size() >= 3) {
    const uint32_t rank = bytes[0] % 2;
    const auto type = static_cast<pawl::wire::RecordType>(bytes[1] % 24);
    const size_t length = std::min<size_t>(bytes[2], bytes.size() - 3);
    std::vector<uint8_t> frame;
    pawl::wire::append_frame(frame, type, {{bytes.data() + 3, length}});
    decoders[rank].feed(frame);
    while (auto record = decoders[rank].next()) assembly.add(rank, *record);
    bytes = bytes.subspan(3 + length);
  }
  for (const Decoder& decoder : decoders) {
    if (decoder.anomalies().skipped_bytes != 0 || decoder.anomalies().damaged_frames != 0) std::abort();
  }
  assembly.finish();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::span<const uint8_t> rest(data + 1, size - 1);
  if (data[0] % 2 == 0) {
    raw(rest);
  } else {
    framed(rest);
  }
  return 0;
}
