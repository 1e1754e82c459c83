#include "stages/evaluate/dataset.h"

#include <gmock/gmock.h>

#include "tests/unit/evaluate/fixtures.h"

namespace pawl::evaluate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Two images of 1x2 pixels, and their labels.
const std::string kImages = bytes_of({0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0, 255, 51, 102});
const std::string kLabels = bytes_of({0, 0, 8, 1, 0, 0, 0, 2, 7, 3});

class DatasetTest : public testing::Test {
 protected:
  void put(const std::string& name, const std::string& bytes) {
    const std::string path = dir_.path() + "/" + name;
    ASSERT_TRUE(make_dirs(parent_path(path)).ok());
    ASSERT_TRUE(write_file_atomic(path, bytes).ok());
  }
  std::string at(const std::string& name) const { return dir_.path() + "/" + name; }
  Result<Dataset> open(DatasetOptions options = {}) {
    options.path = options.path.empty() ? dir_.path() : at(options.path);
    return open_dataset(options);
  }
  static Batch all_of(Dataset& data) {
    Batch batch;
    EXPECT_TRUE(data.inputs->read(0, data.size(), batch).ok());
    return batch;
  }

  TempDir dir_ = TempDir::create("pawl-evaluate").value();
};

TEST_F(DatasetTest, IdxFolder) {
  put("t10k-images-idx3-ubyte", kImages);
  put("t10k-labels-idx1-ubyte", kLabels);
  put("train-images-idx3-ubyte", kImages);
  put("train-labels-idx1-ubyte", kLabels);
  auto data = open();
  ASSERT_TRUE(data.ok()) << message_of(data);
  EXPECT_EQ(data->source, at("t10k-images-idx3-ubyte"));
  EXPECT_THAT(data->labels.numbers, ElementsAre(7, 3));
  const Batch batch = all_of(*data);
  EXPECT_THAT(batch.shape, ElementsAre(2, 1, 1, 2));
  EXPECT_THAT(batch.floats, ElementsAre(0, 1, 0.2F, 0.4F));
}

TEST_F(DatasetTest, OneFileAndTheLabelsBesideIt) {
  put("t10k-images-idx3-ubyte", kImages);
  put("t10k-labels-idx1-ubyte", kLabels);
  put("other", bytes_of({0, 0, 8, 1, 0, 0, 0, 2, 1, 1}));
  DatasetOptions options{.path = "t10k-images-idx3-ubyte"};
  EXPECT_THAT(open(options)->labels.numbers, ElementsAre(7, 3));
  options.labels = at("other");
  EXPECT_THAT(open(options)->labels.numbers, ElementsAre(1, 1));
  options.normalization = {{0.5F}, {0.5F}};
  auto data = open(options);
  EXPECT_THAT(all_of(*data).floats,
              ElementsAre(-1, 1, (51 / 255.0F - 0.5F) / 0.5F, (102 / 255.0F - 0.5F) / 0.5F));
  options.normalization = {{0.5F, 0.5F, 0.5F}, {}};
  EXPECT_THAT(message_of(open(options)), HasSubstr("--mean has 3 values, the inputs have 1 channel"));
}

TEST_F(DatasetTest, LimitTakesTheFirst) {
  put("x-idx3-ubyte", kImages);
  put("y-idx1-ubyte", kLabels);
  auto data = open({.path = "x-idx3-ubyte", .labels = at("y-idx1-ubyte"), .limit = 1});
  ASSERT_TRUE(data.ok()) << message_of(data);
  EXPECT_EQ(data->size(), 1u);
}

TEST_F(DatasetTest, Npz) {
  put("a.npz", fixture("deflated.npz"));
  auto data = open();
  ASSERT_TRUE(data.ok()) << message_of(data);
  EXPECT_EQ(data->source, at("a.npz") + "[x_test]");
  EXPECT_THAT(data->labels.numbers, ElementsAre(0, 1, 2, 1));
  EXPECT_THAT(all_of(*data).shape, ElementsAre(4, 2, 3));
  EXPECT_EQ(open({.split = "train"})->size(), 500u);
  EXPECT_THAT(message_of(open({.labels = "y_train"})),
              HasSubstr("the labels have shape (500), there are 4 examples"));
  EXPECT_THAT(message_of(open({.labels = "z"})), HasSubstr("has no array 'z'"));
}

TEST_F(DatasetTest, CsvInAFolder) {
  put("train.csv", "label,a\n1,1\n");
  put("test.csv", "label,a\nyes,1\nno,2\n");
  auto data = open();
  ASSERT_TRUE(data.ok()) << message_of(data);
  EXPECT_THAT(data->labels.words, ElementsAre("yes", "no"));
  EXPECT_EQ(open({.split = "train"})->size(), 1u);
  EXPECT_THAT(message_of(open({.split = "dev"})), HasSubstr("has no file of this split"));
}

TEST_F(DatasetTest, ImagesInFolders) {
  put("test/dog/1.png", fixture("gray.png"));
  put("test/cat/2.PNG", fixture("gray.png"));
  put("test/cat/notes.txt", "no image");
  put("train/cat/3.png", fixture("gray.png"));
  auto data = open({.normalization = {{0}, {0.5F}}});
  ASSERT_TRUE(data.ok()) << message_of(data);
  EXPECT_THAT(data->ids, ElementsAre("cat/2.PNG", "dog/1.png"));
  EXPECT_THAT(data->labels.words, ElementsAre("cat", "dog"));
  const Batch batch = all_of(*data);
  EXPECT_THAT(batch.shape, ElementsAre(2, 1, 2, 3));
  EXPECT_EQ(batch.floats[5], 2);
  EXPECT_EQ(open({.split = "train"})->size(), 1u);
  EXPECT_THAT(message_of(open({.split = "dev"})), HasSubstr("has no folder 'dev'"));
}

TEST_F(DatasetTest, ImagesMustBeAlike) {
  put("cat/1.png", fixture("gray.png"));
  put("cat/2.png", fixture("rgba.png"));
  auto data = open();
  Batch batch;
  EXPECT_THAT(message_of(data->inputs->read(0, 2, batch)),
              HasSubstr("cat/2.png: is 2x1 with 3 channels, the first image 3x2 with 1: all must be alike"));
}

TEST_F(DatasetTest, PlanesOfColours) {
  put("cat/1.png", fixture("rgba.png"));
  auto data = open({.normalization = {{0}, {1 / 255.0F, 1 / 255.0F, 2 / 255.0F}}});
  const Batch batch = all_of(*data);
  EXPECT_THAT(batch.shape, ElementsAre(1, 3, 1, 2));
  for (std::size_t i = 0; i < 6; ++i)
    EXPECT_NEAR(batch.floats[i], (std::vector<float>{1, 250, 2, 128, 1.5, 3.5}[i]), 1e-4);
}

TEST_F(DatasetTest, WhatCannotBeChosenIsSaid) {
  EXPECT_EQ(open({.path = "none"}).error().code(), ErrorCode::not_found);
  EXPECT_THAT(message_of(open()), HasSubstr("holds no IDX"));
  put("a.bin", "x");
  EXPECT_THAT(message_of(open({.path = "a.bin"})), HasSubstr("give --format"));
  put("a.csv", "label,a\n1,1\n");
  put("b.npz", "x");
  EXPECT_THAT(message_of(open()), HasSubstr("several formats"));
  EXPECT_TRUE(open({.format = Format::csv}).ok());
}

TEST(Inputs, IntegersStayIntegers) {
  Array array{Element::i32, {2, 1}, bytes_of({5, 0, 0, 0, 0xff, 0xff, 0xff, 0xff})};
  Batch batch;
  ASSERT_TRUE(array_inputs(array, {}).value()->read(0, 2, batch).ok());
  EXPECT_THAT(batch.integers, ElementsAre(5, -1));
  EXPECT_TRUE(batch.floats.empty());
  EXPECT_FALSE(array_inputs(array, {{0.5F}, {}}).ok());
}

}  // namespace
}  // namespace pawl::evaluate
