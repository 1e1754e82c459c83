#include "engine/trace/curve_bucket.h"

#include <gtest/gtest.h>

#include "engine/trace/magnitude.h"

namespace pawl::trace {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

TEST(CurveBucket, ValuesComeBackAsTheyWere) {
  const std::vector<CurveValue> values = {
      {1u << 20, -0.5, 0}, {(1u << 20) + 1, 3, 200}, {uint64_t{1} << 62, 1e300, 1}};
  const std::string bytes = pack_values(values);
  EXPECT_EQ(bytes.size(), 1u + 8 + 1 + 1 + 8 + 2 + 9 + 8 + 1);
  EXPECT_EQ(unpack_values(bytes, 1u << 20), values);
  const auto nan = unpack_values(pack_values(std::vector<CurveValue>{{7, kNan, 3}}), 7);
  ASSERT_EQ(nan.size(), 1u);
  EXPECT_TRUE(std::isnan(nan[0].value));
  EXPECT_EQ(nan[0].non_finite, 3u);
}

TEST(CurveBucket, DamagedBytesGiveWhatIsBeforeThem) {
  const std::vector<CurveValue> values = {{3, 1, 0}, {5, 2, 0}};
  const std::string bytes = pack_values(values);
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(unpack_values(bytes.substr(0, size), 3).size(), size / 10) << size;
  }
  EXPECT_TRUE(unpack_values(std::string(100, '\xff'), 3).empty());
  EXPECT_EQ(unpack_values(std::string(1000, '\0'), 3).size(), kBucketWidths.front());
}

TEST(CurveBucket, AddingKeepsTheExtremesAndCountsWhatIsNotFinite) {
  const Bucket bucket = bucket_of(std::vector<CurveValue>{{1, kNan, 2}, {2, 4, 0}, {5, -1, 0}, {6, kNan, 1}});
  EXPECT_EQ(bucket.first_step, 1u);
  EXPECT_EQ(bucket.last_step, 6u);
  EXPECT_EQ(bucket.count, 4u);
  EXPECT_EQ(bucket.finite, 2u);
  EXPECT_EQ(bucket.min, -1);
  EXPECT_EQ(bucket.max, 4);
  EXPECT_EQ(bucket.sum, 3);
  EXPECT_EQ(bucket.last, -1);
  EXPECT_EQ(bucket.non_finite, 3u);
}

TEST(Magnitude, IsPackedAndUnpacked) {
  std::array<uint64_t, 16> counts{};
  EXPECT_EQ(PackedMagnitude(counts).bytes(), "");
  EXPECT_EQ(unpack_magnitude(0, ""), counts);
  counts[7] = 4096;
  counts[9] = 3;
  EXPECT_EQ(PackedMagnitude(counts).at(), 8 * 7 + 1);
  EXPECT_EQ(PackedMagnitude(counts).bytes(), std::string_view("\x00\x10\x00\x00\x03\x00", 6));
  for (uint64_t great : {uint64_t{1}, uint64_t{255}, uint64_t{256}, UINT64_MAX}) {
    for (size_t k = 0; k < 16; ++k) {
      counts[k] = great;
      const PackedMagnitude packed(counts);
      EXPECT_EQ(unpack_magnitude(packed.at(), packed.bytes()), counts);
    }
  }
  unpack_magnitude(127, std::string(1000, '\xff'));
  unpack_magnitude(INT64_MAX, std::string(1000, '\xff'));
}

}  // namespace
}  // namespace pawl::trace
