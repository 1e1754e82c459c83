#include "stages/evaluate/image.h"

#include <gmock/gmock.h>

#include "tests/unit/evaluate/fixtures.h"

namespace pawl::evaluate {
namespace {

using testing::HasSubstr;

Result<Image> decode(const std::string& bytes) {
  return decode_image(bytes, "a.png");
}

TEST(Image, GrayPng) {
  const auto image = decode(fixture("gray.png"));
  ASSERT_TRUE(image.ok()) << message_of(image);
  EXPECT_EQ(image->width, 3u);
  EXPECT_EQ(image->height, 2u);
  EXPECT_EQ(image->channels, 1u);
  EXPECT_EQ(image->pixels, bytes_of({0, 10, 20, 100, 200, 255}));
}

TEST(Image, TransparencyIsDroppedAndColoursStay) {
  EXPECT_EQ(decode(fixture("rgba.png"))->pixels, bytes_of({1, 2, 3, 250, 128, 7}));
}

TEST(Image, PaletteBecomesColours) {
  EXPECT_EQ(decode(fixture("palette.png"))->pixels, bytes_of({60, 70, 80, 9, 8, 7}));
}

TEST(Image, SixteenBitsAreRounded) {
  EXPECT_EQ(decode(fixture("gray16.png"))->pixels, bytes_of({128, 255}));
}

TEST(Image, Jpeg) {
  const auto gray = decode(fixture("gray.jpg"));
  ASSERT_TRUE(gray.ok()) << message_of(gray);
  EXPECT_EQ(gray->height, 16u);
  EXPECT_EQ(gray->channels, 1u);
  EXPECT_EQ(gray->pixels, std::string(64, '\x28') + std::string(64, '\xc8'));
  const auto colour = decode(fixture("rgb.jpg"));
  ASSERT_TRUE(colour.ok());
  EXPECT_EQ(colour->channels, 3u);
  const int want[] = {200, 100, 50};
  for (std::size_t i = 0; i < 3; ++i) EXPECT_NEAR(static_cast<unsigned char>(colour->pixels[i]), want[i], 2);
}

TEST(Image, BadFilesAreRefused) {
  EXPECT_EQ(message_of(decode("GIF89a")), "a.png: is neither PNG nor JPEG");
  EXPECT_THAT(message_of(decode(fixture("cmyk.jpg"))), HasSubstr("4 components"));
  const std::string png = fixture("gray.png");
  expect_prefixes_refused(png.substr(0, png.size() - 12), decode);  // IEND says nothing
  const std::string jpeg = fixture("gray.jpg");
  expect_prefixes_refused(jpeg, decode);
}

TEST(Image, AHeaderThatClaimsTooMuchIsRefusedBeforeMemoryIsTaken) {
  std::string jpeg = fixture("gray.jpg");
  const std::size_t frame = jpeg.find("\xff\xc0");
  ASSERT_NE(frame, std::string::npos);
  jpeg.replace(frame + 5, 4, "\xff\xdc\xff\xdc");
  EXPECT_THAT(message_of(decode(jpeg)), HasSubstr("claims 65500x65500 pixels"));
}

}  // namespace
}  // namespace pawl::evaluate
