#include "stages/evaluate/array.h"

#include <gmock/gmock.h>

#include "tests/unit/evaluate/fixtures.h"

namespace pawl::evaluate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<double> values_of(const Array& array) {
  std::vector<double> out(array.examples() * array.per_example());
  copy_doubles(array, 0, out);
  return out;
}

std::string npy(const std::string& descr, const std::string& shape, const std::string& elements,
                const char* fortran = "False") {
  const std::string header =
      "{'descr': '" + descr + "', 'fortran_order': " + fortran + ", 'shape': " + shape + "}";
  return "\x93NUMPY" + bytes_of({1, 0, static_cast<int>(header.size()), 0}) + header + elements;
}

TEST(Idx, BytesOfThreeDimensions) {
  const auto array = parse_idx(bytes_of({0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 1, 2, 3, 255}), "a");
  ASSERT_TRUE(array.ok());
  EXPECT_THAT(array->shape, ElementsAre(2, 1, 2));
  EXPECT_THAT(values_of(*array), ElementsAre(1, 2, 3, 255));
}

TEST(Idx, OtherTypesAreBigEndian) {
  EXPECT_THAT(values_of(*parse_idx(bytes_of({0, 0, 0x0b, 1, 0, 0, 0, 2, 1, 2, 0xff, 0xfe}), "a")),
              ElementsAre(258, -2));
  EXPECT_THAT(values_of(*parse_idx(bytes_of({0, 0, 0x0d, 1, 0, 0, 0, 1, 0xbf, 0x80, 0, 0}), "a")),
              ElementsAre(-1));
  EXPECT_THAT(values_of(*parse_idx(bytes_of({0, 0, 0x0e, 1, 0, 0, 0, 1, 0x40, 0, 0, 0, 0, 0, 0, 0}), "a")),
              ElementsAre(2));
}

TEST(Idx, BadFilesAreRefused) {
  EXPECT_EQ(message_of(parse_idx("PK\x03\x04....", "a.idx")), "a.idx: this is no IDX file");
  EXPECT_THAT(message_of(parse_idx(bytes_of({0, 0, 7, 1, 0, 0, 0, 1, 1}), "a")), HasSubstr("no IDX"));
  EXPECT_THAT(message_of(parse_idx(bytes_of({0, 0, 8, 1, 0, 0, 0, 1, 1, 2}), "a")),
              HasSubstr("2 bytes of elements, the header asks for 1"));
  EXPECT_THAT(message_of(parse_idx(bytes_of({0, 0, 8, 0, 1}), "a")), HasSubstr("single number"));
  EXPECT_THAT(message_of(parse_idx(bytes_of({0, 0, 8, 1, 0, 0, 0, 0}), "a")), HasSubstr("no elements"));
  const std::string huge = bytes_of({0, 0, 8, 3}) + std::string(12, '\xff');
  EXPECT_THAT(message_of(parse_idx(huge, "a")), HasSubstr("overflow"));
  expect_prefixes_refused(bytes_of({0, 0, 8, 2, 0, 0, 0, 1, 0, 0, 0, 2, 1, 2}),
                          [](const std::string& bytes) { return parse_idx(bytes, "a"); });
}

TEST(Npy, FortranOrderIsTurnedIntoC) {
  const std::string elements = bytes_of({1, 4, 2, 5, 3, 6});
  const auto array = parse_npy(npy("|u1", "(2, 3)", elements, "True"), "a");
  ASSERT_TRUE(array.ok()) << message_of(array);
  EXPECT_THAT(values_of(*array), ElementsAre(1, 2, 3, 4, 5, 6));
  const auto cube = parse_npy(npy("|u1", "(1, 2, 3)", elements, "True"), "a");
  EXPECT_THAT(values_of(*cube), ElementsAre(1, 2, 3, 4, 5, 6));
}

TEST(Npy, AllElementTypes) {
  const std::string one = bytes_of({1, 0, 0, 0, 0, 0, 0, 0});
  for (const char* type : {"|b1", "|i1", "|u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8"}) {
    const auto size = static_cast<std::size_t>(type[2] - '0');
    const auto array = parse_npy(npy(type, "(1,)", one.substr(0, size)), "a");
    ASSERT_TRUE(array.ok()) << type;
    EXPECT_THAT(values_of(*array), ElementsAre(1)) << type;
    EXPECT_EQ(size_of(array->element), size) << type;
  }
  EXPECT_THAT(values_of(*parse_npy(npy("<f4", "(1,)", bytes_of({0, 0, 0x80, 0xbf})), "a")), ElementsAre(-1));
  EXPECT_THAT(values_of(*parse_npy(npy("|i1", "(1,)", bytes_of({0xff})), "a")), ElementsAre(-1));
}

TEST(Npy, BadFilesAreRefused) {
  EXPECT_THAT(message_of(parse_npy(npy("|u1", "()", "1"), "a.npy")),
              HasSubstr("a.npy: holds a single number"));
  EXPECT_THAT(message_of(parse_npy(npy("|u1", "(0, 4)", ""), "a")), HasSubstr("no elements"));
  EXPECT_THAT(message_of(parse_npy(npy("|u1", "(3, 2)", "12345"), "a")),
              HasSubstr("do not make shape (3, 2)"));
  EXPECT_THAT(message_of(parse_npy(npy("|O8", "(1,)", std::string(8, 'x')), "a")), HasSubstr("element type"));
}

TEST(Array, CopiesAPart) {
  const auto array = parse_npy(npy("|u1", "(3, 2)", bytes_of({1, 2, 3, 4, 5, 6})), "a");
  std::vector<std::int64_t> integers(2);
  copy_integers(*array, 2, integers);
  EXPECT_THAT(integers, ElementsAre(3, 4));
  std::vector<float> floats(1);
  copy_floats(*array, 5, floats);
  EXPECT_THAT(floats, ElementsAre(6.0F));
}

}  // namespace
}  // namespace pawl::evaluate
