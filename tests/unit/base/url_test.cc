#include "engine/base/url.h"

#include <gtest/gtest.h>

#include "engine/base/http_headers.h"

namespace pawl {
namespace {

TEST(Url, DecodesEscapes) {
  EXPECT_EQ(percent_decode("a%20b%2Fc%2f"), "a b/c/");
  EXPECT_EQ(percent_decode("a+b"), "a+b");
  EXPECT_EQ(percent_decode("a+b", true), "a b");
  EXPECT_EQ(percent_decode("%00"), std::string(1, '\0'));
  EXPECT_EQ(percent_decode(""), "");
}

TEST(Url, BrokenEscapesHaveNoValue) {
  for (const char* text : {"%", "%4", "a%", "%zz", "%4g", "%%41", "%-1", "% 1"}) {
    EXPECT_EQ(percent_decode(text), std::nullopt) << text;
  }
}

TEST(Url, EncodingIsUndoneByDecoding) {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  std::string encoded = percent_encode(all);
  EXPECT_EQ(encoded.find_first_of("/?#&=+ %\x80"), encoded.find('%'));
  EXPECT_EQ(percent_decode(encoded), all);
  EXPECT_EQ(percent_encode("a-Z_0.9~"), "a-Z_0.9~");
}

TEST(Url, FormFieldsInOrder) {
  auto fields = parse_form("a=1&&b=x+y%26&c&a=2&=v", 10);
  ASSERT_TRUE(fields.has_value());
  EXPECT_EQ(*fields, (FormFields{{"a", "1"}, {"b", "x y&"}, {"c", ""}, {"a", "2"}, {"", "v"}}));
  EXPECT_TRUE(parse_form("", 0)->empty());
  EXPECT_EQ(parse_form("a=%", 10), std::nullopt);
  EXPECT_EQ(parse_form("a=1&b=2", 1), std::nullopt);
}

TEST(HttpHeadersTest, NamesIgnoreCase) {
  HttpHeaders headers{{"Content-Type", "a"}, {"X-A", "1"}};
  headers.add("x-a", "2");
  EXPECT_EQ(*headers.find("CONTENT-TYPE"), "a");
  EXPECT_EQ(*headers.find("x-a"), "1");
  EXPECT_EQ(headers.count("X-a"), 2u);
  EXPECT_EQ(headers.find("X-"), nullptr);
}

}  // namespace
}  // namespace pawl
