#include "hooks/capture/crc32c.h"

#include <gtest/gtest.h>

#include <array>
#include <numeric>
#include <string_view>

namespace pawl::wire {
namespace {

TEST(Crc32c, KnownVectors) {
  const std::string_view digits = "123456789";
  EXPECT_EQ(crc32c(digits.data(), digits.size()), 0xe3069283u);
  std::array<uint8_t, 32> bytes{};  // RFC 3720, appendix B.4
  EXPECT_EQ(crc32c(bytes.data(), bytes.size()), 0x8a9136aau);
  bytes.fill(0xff);
  EXPECT_EQ(crc32c(bytes.data(), bytes.size()), 0x62a8ab43u);
  std::iota(bytes.begin(), bytes.end(), uint8_t{0});
  EXPECT_EQ(crc32c(bytes.data(), bytes.size()), 0x46dd794eu);
}

TEST(Crc32c, PortableAgreesAndContinues) {
  std::array<uint8_t, 100> bytes;
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(i * 37 + 11);
  for (size_t size = 0; size <= bytes.size(); ++size) {
    const uint32_t whole = crc32c(bytes.data(), size);
    EXPECT_EQ(~crc_detail::update_portable(~0u, bytes.data(), size), whole) << size;
    const size_t half = size / 2;
    EXPECT_EQ(crc32c(bytes.data() + half, size - half, crc32c(bytes.data(), half)), whole) << size;
  }
}

}  // namespace
}  // namespace pawl::wire
