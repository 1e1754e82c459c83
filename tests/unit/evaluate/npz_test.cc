#include "stages/evaluate/npz.h"

#include <gmock/gmock.h>

#include "tests/unit/evaluate/fixtures.h"

namespace pawl::evaluate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Result<Array> read(const std::string& bytes, const std::string& name) {
  PAWL_ASSIGN(const Npz archive, Npz::open(bytes, "a.npz"));
  return archive.read(name);
}

// numpy.savez(x=arange(24, dtype=float32).reshape(4, 2, 3), y=[0, 1, 2, 1])
TEST(Npz, StoredByNumpy) {
  const std::string bytes = fixture("stored.npz");
  EXPECT_THAT(Npz::open(bytes, "a")->names(), ElementsAre("x", "y"));
  const auto x = read(bytes, "x");
  ASSERT_TRUE(x.ok()) << message_of(x);
  EXPECT_THAT(x->shape, ElementsAre(4, 2, 3));
  std::vector<float> values(3);
  copy_floats(*x, 20, values);
  EXPECT_THAT(values, ElementsAre(20, 21, 22));
}

// numpy.savez_compressed() of the same x in Fortran order as x_test, and more.
TEST(Npz, DeflatedByNumpy) {
  const std::string bytes = fixture("deflated.npz");
  EXPECT_THAT(Npz::open(bytes, "a")->names(), ElementsAre("x_test", "x_train", "y_test", "y_train"));
  EXPECT_EQ(read(bytes, "x_test")->bytes, read(fixture("stored.npz"), "x")->bytes);
  EXPECT_THAT(read(bytes, "x_train")->shape, ElementsAre(500, 2, 3));
}

TEST(Npz, SaysWhichArraysThereAre) {
  EXPECT_EQ(message_of(read(fixture("stored.npz"), "z")), "a.npz: has no array 'z', but: x, y");
}

TEST(Npz, BadArchivesAreRefused) {
  EXPECT_THAT(message_of(Npz::open("", "a.npz")), HasSubstr("a.npz: this is no ZIP archive"));
  const std::string good = fixture("deflated.npz");
  expect_prefixes_refused(good, [](const std::string& bytes) { return read(bytes, "y_test"); });
}

// Every byte that matters is checked: any change gives the same array, or an error, and no access elsewhere.
TEST(Npz, ChangedBytesNeverGiveOtherElements) {
  const std::string good = fixture("deflated.npz");
  const auto want = read(good, "y_test");
  std::size_t refused = 0;
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (const int mask : {0x01, 0x80, 0xff}) {
      std::string bytes = good;
      bytes[at] = static_cast<char>(bytes[at] ^ mask);
      const auto got = read(bytes, "y_test");
      refused += got.ok() ? 0 : 1;
      EXPECT_TRUE(!got.ok() || got->bytes == want->bytes) << at;
    }
  }
  EXPECT_GT(refused, 300u);
}

}  // namespace
}  // namespace pawl::evaluate
