// Segments made by hand for the tests of their readers.
#pragma once

#include <string_view>
#include <vector>

#include "engine/trace/format.h"
#include "hooks/capture/frame.h"

namespace pawl::trace {

class SegmentBuilder {
 public:
  SegmentBuilder& header(uint32_t rank, uint32_t world_size, uint32_t pid = 1, uint32_t segment = 1,
                         uint32_t version = wire::kFormatVersion) {
    const std::string_view producer = "test";
    const wire::HeaderPayload p{
        version, rank, world_size, pid, 1000, 2000, 3000, segment, static_cast<uint32_t>(producer.size())};
    return frame(wire::RecordType::header, {{&p, sizeof p}, {producer.data(), producer.size()}});
  }
  SegmentBuilder& series(uint32_t id, std::string_view name, Kind kind = Kind::scalar,
                         const std::vector<int64_t>& shape = {}) {
    const wire::SeriesPayload p{id, static_cast<uint16_t>(kind), 0, static_cast<uint32_t>(shape.size()),
                                static_cast<uint32_t>(name.size())};
    return frame(
        wire::RecordType::series,
        {{&p, sizeof p}, {shape.data(), shape.size() * sizeof(int64_t)}, {name.data(), name.size()}});
  }
  SegmentBuilder& begin(uint64_t step, uint32_t mode = 0, bool unordered = false) {
    return fixed(wire::RecordType::step_begin,
                 wire::StepBeginPayload{step, mode, unordered ? wire::kStepUnordered : 0, 10, 20});
  }
  SegmentBuilder& scalar(uint32_t series, double value) {
    return fixed(wire::RecordType::scalar, wire::ScalarPayload{series, 0, value});
  }
  SegmentBuilder& stats(uint32_t series, uint64_t count) {
    wire::StatsPayload p{};
    p.series = series;
    p.count = count;
    return fixed(wire::RecordType::stats, p);
  }
  SegmentBuilder& end(uint64_t step) {
    return fixed(wire::RecordType::step_end, wire::StepEndPayload{step, 30, 40});
  }
  SegmentBuilder& close() { return fixed(wire::RecordType::end, wire::EndPayload{50, 60, 0}); }

  SegmentBuilder& frame(wire::RecordType type, std::initializer_list<wire::Part> parts) {
    wire::append_frame(bytes_, type, parts);
    return *this;
  }
  template <class Payload>
  SegmentBuilder& fixed(wire::RecordType type, const Payload& payload) {
    return frame(type, {{&payload, sizeof payload}});
  }

  const std::vector<uint8_t>& bytes() const { return bytes_; }
  std::string_view text() const { return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()}; }

 private:
  std::vector<uint8_t> bytes_;
};

inline std::vector<Record> take_all(Decoder& decoder) {
  std::vector<Record> records;
  while (auto record = decoder.next()) records.push_back(std::move(*record));
  return records;
}

inline std::vector<Record> decode_all(std::span<const uint8_t> bytes, Anomalies* anomalies = nullptr) {
  Decoder decoder;
  decoder.feed(bytes);
  auto records = take_all(decoder);
  decoder.finish();
  for (auto& record : take_all(decoder)) records.push_back(std::move(record));
  if (anomalies != nullptr) *anomalies = decoder.anomalies();
  return records;
}

}  // namespace pawl::trace
