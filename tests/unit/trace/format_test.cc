#include "engine/trace/format.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <random>

#include "tests/unit/trace/segment_builder.h"

namespace pawl::trace {
namespace {

using testing::ElementsAre;
using testing::SizeIs;
using wire::RecordType;

SegmentBuilder small_segment() {
  SegmentBuilder segment;
  segment.header(0, 1).series(0, "loss", Kind::loss).series(1, "fc.weight", Kind::weight, {3, 4});
  for (uint64_t step = 0; step < 3; ++step) {
    segment.begin(step).scalar(0, 0.5).stats(1, 12).end(step);
  }
  return segment.close();
}

// Offsets at which frames start, and the end.
std::vector<size_t> boundaries(const std::vector<uint8_t>& bytes) {
  std::vector<size_t> out;
  for (size_t at = 0; at < bytes.size();) {
    out.push_back(at);
    uint32_t length;
    std::memcpy(&length, bytes.data() + at + 4, sizeof length);
    at += wire::kFrameHeaderSize + length;
  }
  out.push_back(bytes.size());
  return out;
}

TEST(Decoder, ChunksMakeNoDifference) {
  const auto segment = small_segment();
  const auto whole = decode_all(segment.bytes());
  EXPECT_THAT(whole, SizeIs(16));
  for (const size_t chunk : {1, 2, 3, 7, 15, 16, 17, 100, 1000}) {
    Decoder decoder;
    std::vector<Record> records;
    const std::span<const uint8_t> bytes(segment.bytes());
    for (size_t at = 0; at < bytes.size(); at += chunk) {
      decoder.feed(bytes.subspan(at, std::min(chunk, bytes.size() - at)));
      for (auto& record : take_all(decoder)) records.push_back(std::move(record));
    }
    EXPECT_EQ(records, whole) << chunk;
    EXPECT_EQ(decoder.anomalies(), Anomalies()) << chunk;
  }
}

TEST(Decoder, TornAtEveryByte) {
  const auto segment = small_segment();
  const auto whole = decode_all(segment.bytes());
  const auto starts = boundaries(segment.bytes());
  for (size_t size = 0; size < segment.bytes().size(); ++size) {
    Anomalies anomalies;
    const auto records = decode_all(std::span(segment.bytes()).first(size), &anomalies);
    const auto complete = std::upper_bound(starts.begin(), starts.end(), size) - starts.begin() - 1;
    ASSERT_THAT(records, SizeIs(complete)) << size;
    EXPECT_TRUE(std::equal(records.begin(), records.end(), whole.begin())) << size;
    EXPECT_EQ(anomalies.skipped_bytes, size - starts[static_cast<size_t>(complete)]) << size;
  }
}

TEST(Decoder, ATornTailIsNoDamageWhileTheFileMayGrow) {
  const auto segment = small_segment();
  Decoder decoder;
  decoder.feed(std::span(segment.bytes()).first(segment.bytes().size() - 1));
  EXPECT_THAT(take_all(decoder), SizeIs(15));
  EXPECT_EQ(decoder.anomalies(), Anomalies());
  decoder.feed(std::span(segment.bytes()).last(1));
  EXPECT_THAT(take_all(decoder), SizeIs(1));
}

// A flipped bit costs the record it is in, and no other; at once, not after the length it may have changed.
TEST(Decoder, EveryFlippedBitCostsOneRecord) {
  const auto segment = small_segment();
  const auto whole = decode_all(segment.bytes());
  const auto starts = boundaries(segment.bytes());
  for (size_t bit = 0; bit < segment.bytes().size() * 8; ++bit) {
    auto bytes = segment.bytes();
    bytes[bit / 8] ^= static_cast<uint8_t>(1u << (bit % 8));
    auto want = whole;
    const auto hit = std::upper_bound(starts.begin(), starts.end(), bit / 8) - starts.begin() - 1;
    want.erase(want.begin() + hit);
    Decoder decoder;  // not finished: nothing may be held back but the last record
    decoder.feed(bytes);
    auto records = take_all(decoder);
    EXPECT_EQ(records, want) << "bit " << bit;
    const Anomalies& found = decoder.anomalies();
    EXPECT_TRUE(found.damaged_frames == 1 || found.skipped_bytes > 0 || hit == 15) << "bit " << bit;
  }
}

TEST(Decoder, GarbageBetweenRecords) {
  std::mt19937 random(1);
  const auto segment = small_segment();
  const auto whole = decode_all(segment.bytes());
  const auto starts = boundaries(segment.bytes());
  for (const size_t at : starts) {
    auto bytes = segment.bytes();
    std::vector<uint8_t> garbage(random() % 200 + 1);
    for (auto& byte : garbage) byte = static_cast<uint8_t>(random());
    garbage.insert(garbage.end(), {0xf5, 0x50, 0x57});  // nearly a sync word
    bytes.insert(bytes.begin() + static_cast<ptrdiff_t>(at), garbage.begin(), garbage.end());
    Anomalies anomalies;
    EXPECT_EQ(decode_all(bytes, &anomalies), whole) << at;
    EXPECT_EQ(anomalies.skipped_bytes, garbage.size());
  }
}

TEST(Decoder, ZerosOfALostPage) {
  auto bytes = small_segment().bytes();
  bytes.insert(bytes.end(), 4096, 0);
  const auto more = small_segment();
  bytes.insert(bytes.end(), more.bytes().begin(), more.bytes().end());
  Anomalies anomalies;
  EXPECT_THAT(decode_all(bytes, &anomalies), SizeIs(32));
  EXPECT_EQ(anomalies.skipped_bytes, 4096u);
}

// Good records after an incomplete one are found once it is known that it stays incomplete.
TEST(Decoder, RecordsInsideATornTail) {
  SegmentBuilder segment;
  const std::vector<uint8_t> large(1000, 7);
  segment.begin(1).frame(static_cast<RecordType>(500), {{large.data(), large.size()}});
  std::vector<uint8_t> bytes(segment.bytes().begin(), segment.bytes().end() - 900);
  const auto after = SegmentBuilder().end(1);
  bytes.insert(bytes.end(), after.bytes().begin(), after.bytes().end());
  Decoder decoder;
  decoder.feed(bytes);
  EXPECT_THAT(take_all(decoder), SizeIs(1));
  decoder.finish();
  EXPECT_THAT(take_all(decoder), ElementsAre(testing::VariantWith<StepEnd>(StepEnd{1, 30, 40})));
}

TEST(Decoder, LaterTypesAndFieldsAreSkipped) {
  struct {
    wire::StepEndPayload known{9, 30, 40};
    uint64_t added = 77;
  } longer;
  SegmentBuilder segment;
  segment.header(0, 1).frame(static_cast<RecordType>(99), {{"of a later version", 18}});
  segment.frame(static_cast<RecordType>(0), {}).fixed(RecordType::step_end, longer).begin(10);
  Anomalies anomalies;
  const auto records = decode_all(segment.bytes(), &anomalies);
  ASSERT_THAT(records, SizeIs(3));
  EXPECT_EQ(std::get<StepEnd>(records[1]).step, 9u);
  EXPECT_EQ(anomalies.unknown_records, 2u);
  EXPECT_EQ(anomalies.skipped_bytes, 0u);
}

TEST(Decoder, AnotherVersionIsIgnoredUpToTheNextHeader) {
  SegmentBuilder segment;
  segment.header(0, 1, 1, 1, /*version=*/2).begin(1).end(1).header(0, 1).begin(2);
  Anomalies anomalies;
  const auto records = decode_all(segment.bytes(), &anomalies);
  ASSERT_THAT(records, SizeIs(2));
  EXPECT_EQ(std::get<StepBegin>(records[1]).step, 2u);
  EXPECT_EQ(anomalies.unsupported_records, 3u);
}

TEST(Decoder, SenselessContentIsCounted) {
  const uint32_t word = 0;
  SegmentBuilder segment;
  segment.frame(RecordType::scalar, {{&word, sizeof word}});          // too short
  segment.series(0, "").series(0, std::string(4097, 'x'));            // no name, a name too long
  segment.series(0, "x", static_cast<Kind>(99));                      // no such kind
  segment.series(0, "x", Kind::weight, std::vector<int64_t>(65, 1));  // too many dimensions
  wire::SeriesPayload lies{0, 0, 0, 64, 4096};                        // longer than it is
  segment.fixed(RecordType::series, lies);
  wire::HeaderPayload header{1, 0, 1, 1, 0, 0, 0, 1, 4000};
  segment.fixed(RecordType::header, header);
  segment.begin(3);
  Anomalies anomalies;
  EXPECT_THAT(decode_all(segment.bytes(), &anomalies), SizeIs(1));
  EXPECT_EQ(anomalies.malformed_records, 7u);
}

TEST(Decoder, NamesBecomeValidUtf8) {
  SegmentBuilder segment;
  segment.series(0, "caf\xc3\xa9").series(1, "bad\xff\xfe");
  const auto records = decode_all(segment.bytes());
  ASSERT_THAT(records, SizeIs(2));
  EXPECT_EQ(std::get<SeriesDeclaration>(records[0]).name, "caf\xc3\xa9");
  EXPECT_EQ(std::get<SeriesDeclaration>(records[1]).name, "bad\xef\xbf\xbd\xef\xbf\xbd");
}

TEST(Decoder, ALengthAboveTheLimitIsNoFrame) {
  SegmentBuilder segment;
  segment.begin(1);
  auto bytes = segment.bytes();
  wire::FrameHeader header{wire::kSync, wire::kMaxPayload + 1, 4, 0, 0};
  std::vector<uint8_t> frame(sizeof header);
  std::memcpy(frame.data(), &header, sizeof header);
  header.check = wire::header_check(frame.data());
  std::memcpy(frame.data(), &header, sizeof header);
  bytes.insert(bytes.begin(), frame.begin(), frame.end());
  Decoder decoder;
  decoder.feed(bytes);
  EXPECT_THAT(take_all(decoder), SizeIs(1));
  EXPECT_EQ(decoder.anomalies().skipped_bytes, frame.size());
}

TEST(Kinds, NamesAndBack) {
  for (size_t i = 0; i < kKinds; ++i) {
    const Kind kind = static_cast<Kind>(i);
    EXPECT_EQ(parse_kind(to_string(kind)), kind);
  }
  EXPECT_EQ(to_string(Kind::gradient), "gradient");
  EXPECT_EQ(to_string(Dtype::boolean), "bool");
  EXPECT_FALSE(parse_kind("gradients"));
}

}  // namespace
}  // namespace pawl::trace
