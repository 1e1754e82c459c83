#include "stages/evaluate/data_file.h"

#include <gmock/gmock.h>
#include <zlib.h>

#include "tests/unit/evaluate/fixtures.h"

namespace pawl::evaluate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string pair_text(const std::vector<std::string>& names, const std::string& split = {},
                      const std::string& labels = {}) {
  const auto pair = find_pair(names, split, labels, "dir");
  return pair ? pair->inputs + " " + pair->labels : pair.error().to_string();
}

TEST(DataFile, GzipIsUnpackedAndDamageSeen) {
  const auto dir = TempDir::create("pawl-evaluate");
  const std::string path = dir->path() + "/a.gz";
  const std::string text(100'000, 'x');
  const gzFile file = gzopen(path.c_str(), "wb");
  gzwrite(file, text.data(), static_cast<unsigned>(text.size()));
  gzclose(file);
  EXPECT_EQ(read_data_file(path).value(), text);
  EXPECT_THAT(message_of(read_data_file(path, 1000)), HasSubstr("holds more than"));
  const std::string packed = read_file(path, 1 << 20).value();
  for (const std::size_t size : {packed.size() - 1, packed.size() / 2, std::size_t{3}}) {
    ASSERT_TRUE(write_file_atomic(path, packed.substr(0, size)).ok());
    EXPECT_THAT(message_of(read_data_file(path)), HasSubstr("damaged gzip")) << size;
  }
  ASSERT_TRUE(write_file_atomic(path, "plain").ok());
  EXPECT_EQ(read_data_file(path).value(), "plain");
  EXPECT_EQ(read_data_file(dir->path() + "/none").error().code(), ErrorCode::not_found);
}

TEST(DataFile, TheTestSetIsTakenUnlessAnotherIsNamed) {
  const std::vector<std::string> mnist = {"t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz",
                                          "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"};
  EXPECT_EQ(pair_text(mnist), "t10k-images-idx3-ubyte.gz t10k-labels-idx1-ubyte.gz");
  EXPECT_EQ(pair_text(mnist, "train"), "train-images-idx3-ubyte.gz train-labels-idx1-ubyte.gz");
  EXPECT_EQ(pair_text({"x_test", "x_train", "y_test", "y_train"}), "x_test y_test");
  EXPECT_EQ(pair_text({"x_val", "y_val", "x_train", "y_train"}), "x_val y_val");
  EXPECT_EQ(pair_text({"X.npy", "y.npy"}), "X.npy y.npy");
  EXPECT_EQ(pair_text({"test_images", "test_labels", "train_images", "train_labels"}),
            "test_images test_labels");
}

TEST(DataFile, PairsThatAreNotClear) {
  EXPECT_EQ(pair_text({"x_a", "x_b", "y_a", "y_b"}),
            "dir: x_a and x_b could both be the inputs; choose with --split");
  EXPECT_THAT(pair_text({"max", "my"}), HasSubstr("has no pair of inputs and labels"));
  EXPECT_THAT(pair_text({"x", "y"}, "dev"), HasSubstr("for the split 'dev'"));
}

TEST(DataFile, LabelsThatAreNamed) {
  EXPECT_EQ(pair_text({"a.npy", "truth.npy"}, {}, "truth.npy"), "a.npy truth.npy");
  EXPECT_EQ(pair_text({"fine_labels", "images", "labels"}, {}, "fine_labels"), "images fine_labels");
  EXPECT_THAT(pair_text({"a.npy", "b.npy", "truth.npy"}, {}, "truth.npy"), HasSubstr("among: a.npy, b.npy"));
}

TEST(DataFile, LabelsOfGivenInputs) {
  const std::vector<std::string> names = {"x_a.npy", "x_b.npy", "y_a.npy", "y_b.npy", "z.npy"};
  EXPECT_EQ(find_labels("x_b.npy", names, "dir")->labels, "y_b.npy");
  EXPECT_THAT(message_of(find_labels("z.npy", names, "dir")), HasSubstr("Give --labels"));
}

TEST(DataFile, SplitsAreWords) {
  EXPECT_THAT(names_of_split({"latest.csv", "train.csv"}, {}), ElementsAre("latest.csv", "train.csv"));
  EXPECT_THAT(names_of_split({"my-test.csv", "train.csv"}, {}), ElementsAre("my-test.csv"));
}

}  // namespace
}  // namespace pawl::evaluate
