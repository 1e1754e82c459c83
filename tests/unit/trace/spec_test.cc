// schema/trace.md has a worked example; it is decoded here, so that it stays true.
#include <gmock/gmock.h>

#include <charconv>

#include "engine/base/files.h"
#include "engine/base/text.h"
#include "tests/unit/trace/segment_builder.h"

namespace pawl::trace {
namespace {

// The bytes of the ```hex block: "offset: b0 b1 ...", comments start with #.
std::vector<uint8_t> example() {
  const std::string page = read_file(PAWL_TRACE_SPEC, 1 << 20).value();
  const size_t start = page.find("```hex\n") + 7;
  const std::string_view block = std::string_view(page).substr(start, page.find("```", start) - start);
  std::vector<uint8_t> bytes;
  for (const std::string_view line : split(block, '\n')) {
    if (line.empty() || line.front() == '#') continue;
    const auto words = split(line, ' ');
    size_t offset = 0;
    std::from_chars(words[0].data(), words[0].data() + words[0].size(), offset, 16);
    EXPECT_EQ(offset, bytes.size()) << line;
    for (size_t i = 1; i < words.size(); ++i) {
      uint8_t byte = 0;
      const auto parsed = std::from_chars(words[i].data(), words[i].data() + words[i].size(), byte, 16);
      EXPECT_EQ(parsed.ptr, words[i].data() + 2) << line;
      bytes.push_back(byte);
    }
  }
  return bytes;
}

std::vector<uint8_t> as_bytes(const std::string& text) {
  return {text.begin(), text.end()};
}

TEST(TraceSpecification, TheExampleDecodesToWhatItSays) {
  Anomalies anomalies;
  const auto records = decode_all(example(), &anomalies);
  EXPECT_EQ(anomalies, Anomalies());
  const std::string document = std::string("\x40\0\0\0\0\0\0\0", 8) +
                               "{\"value\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}      " +
                               std::string("\0\0\0\x3f\0\0\x80\xbf", 8);
  const std::vector<Record> want = {
      Header{1, 1, 2, 4242, 1760000000000000000, 1760000000500000000, 77000000000, 1, "example"},
      SeriesDeclaration{0, Kind::loss, Dtype::f32, {}, "loss"},
      SeriesDeclaration{1, Kind::gradient, Dtype::f32, {2, 3}, "fc1.weight"},
      SeriesDeclaration{2, Kind::bias, Dtype::f32, {2}, "fc1.bias"},
      SeriesDeclaration{3, Kind::span, Dtype::f64, {}, "forward"},
      SeriesDeclaration{4, Kind::batch, Dtype::f64, {}, "x"},
      SeriesDeclaration{5, Kind::hash, Dtype::f32, {2}, "fc1.bias"},
      StepBegin{7, 0, 1760000001000000000, 77500000000},
      ScalarValue{0, 0.25},
      StatsValue{1, {6, 1, 1, 1, -2, 1, -0.5, 3.5, 5.25, {0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0}}},
      RawPiece{2, 80, 0, as_bytes(document.substr(0, 40))},
      RawPiece{2, 80, 40, as_bytes(document.substr(40))},
      Of<Span>{3, {77510000000, 77540000000}},
      Of<Batch>{4, {0x0123456789abcdef, 3, {2, 1}}},
      Of<Digest>{5, {0xfedcba9876543210}},
      StepEnd{7, 1760000001100000000, 77600000000},
      End{1760000001200000000, 77700000000, 0}};
  EXPECT_EQ(records, want);
}

// The table of the page against the code: a frame made from each row.
TEST(TraceSpecification, TheCheckIsOfTheBytesThePageSays) {
  const auto bytes = example();
  ASSERT_GE(bytes.size(), 16u);
  const uint32_t length = 0x37;
  EXPECT_EQ(wire::crc32c(bytes.data(), 10) & 0xffff, bytes[10] | bytes[11] << 8);
  uint32_t crc = wire::crc32c(bytes.data(), 12);
  crc = wire::crc32c(bytes.data() + 16, length, crc);
  EXPECT_EQ(crc, static_cast<uint32_t>(bytes[12]) | static_cast<uint32_t>(bytes[13]) << 8 |
                     static_cast<uint32_t>(bytes[14]) << 16 | static_cast<uint32_t>(bytes[15]) << 24);
}

}  // namespace
}  // namespace pawl::trace
