#include "engine/trigger/overlap.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "engine/base/files.h"
#include "engine/trigger/row_reader.h"

namespace pawl::trigger {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class OverlapTest : public ::testing::Test {
 protected:
  void SetUp() override { dir_.emplace(TempDir::create("pawl-overlap").value()); }

  void write(const std::string& path, const std::string& bytes) {
    ASSERT_TRUE(make_dirs(parent_path(dir_->path() + "/" + path)).ok());
    ASSERT_TRUE(write_file_atomic(dir_->path() + "/" + path, bytes).ok());
  }

  Overlap overlap(const std::string& mine = "test", const std::string& other = "train") {
    StatCache cache;
    const std::string a = dir_->path() + "/" + mine;
    const std::string b = dir_->path() + "/" + other;
    const DataVersion left = scan_data({a, {}, {}}, cache).value();
    const DataVersion right = scan_data({b, {}, {}}, cache).value();
    return find_overlap({a, left.manifest}, {b, right.manifest}).value();
  }

  // The rows of a file, or nullopt when it has none.
  std::optional<std::vector<std::string>> rows(const std::string& name, const std::string& bytes) {
    write(name, bytes);
    std::vector<std::string> out;
    const auto read =
        read_rows(dir_->path() + "/" + name, [&](const Row& row) { out.emplace_back(row.bytes); }).value();
    return read ? std::optional(out) : std::nullopt;
  }

  std::optional<TempDir> dir_;
};

std::string idx(const std::string& dimensions, const std::string& data) {
  std::string out = {0, 0, 8, static_cast<char>(dimensions.size())};
  for (const char size : dimensions) out += std::string{0, 0, 0, size};
  return out + data;
}

std::string npy(const std::string& header, const std::string& data) {
  return "\x93NUMPY" + std::string{1, 0, static_cast<char>(header.size()), 0} + header + data;
}

TEST_F(OverlapTest, RowsOfCsvWhateverTheirFile) {
  write("train/a.csv", "id,x,label\nrow 1,0.25,3\n\"two\nlines\",1,2\n");
  write("train/b.csv", "id,x,label\nrow 2,0.5,3\r\n");
  write("test/t.csv", "id,x,label\nrow 3,0.1,1\nrow 2,0.5,3\n\"two\nlines\",1,2\nrow 2,0.5,3");
  const Overlap found = overlap();
  EXPECT_EQ(found.rows, 3u);
  EXPECT_EQ(found.files, 0u);
  EXPECT_EQ(found.example, "row 4 of t.csv is row 3 of a.csv");
}

TEST_F(OverlapTest, HeadersAndShortRowsShareNothing) {
  write("train/a.csv", "identifier,value\n1,2\nrow 1,0.25\n");
  write("test/t.csv", "identifier,value\n1,2\nrow 2,0.25\n");
  EXPECT_FALSE(overlap().any());
  write("test/headless.csv", "row 1,0.25\n");
  EXPECT_EQ(overlap().rows, 1u) << "a first row may be an example";
}

TEST_F(OverlapTest, FilesAsAWhole) {
  write("train/cats/1.png", "an image");
  write("train/empty.txt", "");
  write("test/dogs/7.png", "an image");
  write("test/dogs/8.png", "another");
  write("test/empty.txt", "");
  const Overlap found = overlap();
  EXPECT_EQ(found.files, 1u);
  EXPECT_EQ(found.rows, 0u);
  EXPECT_EQ(found.example, "dogs/7.png is cats/1.png");
}

TEST_F(OverlapTest, ExamplesOfArraysWhateverTheirFormat) {
  const std::string one = "01234567", two = "abcdefgh", three = "ABCDEFGH";
  write("train/images-idx3-ubyte", idx({2, 2, 4}, one + two));
  write("train/labels-idx1-ubyte", idx({2}, "ab"));
  write("test/images.npy", npy("{'descr': '|u1', 'fortran_order': False, 'shape': (2, 8), }", three + two));
  write("test/labels-idx1-ubyte", idx({3}, "abc"));
  const Overlap found = overlap();
  EXPECT_EQ(found.rows, 1u);
  EXPECT_EQ(found.files, 0u);
  EXPECT_EQ(found.example, "row 2 of images.npy is row 2 of images-idx3-ubyte");
}

TEST_F(OverlapTest, ADatasetMayBeOneFile) {
  write("train.csv", "identifier,value\nrow 1,0.25\n");
  write("test.csv", "identifier,value\nrow 1,0.25\n");
  EXPECT_EQ(overlap("test.csv", "train.csv").rows, 1u);
}

TEST_F(OverlapTest, WhatIsNoArrayHasNoRows) {
  const std::string data(16, 'x');
  EXPECT_THAT(*rows("a.npy", npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }", data)),
              ElementsAre("xxxxxxxx", "xxxxxxxx"));
  EXPECT_THAT(*rows("b-ubyte", idx({2, 8}, data)), ElementsAre("xxxxxxxx", "xxxxxxxx"));
  for (const char* header :
       {"{'descr': '<f4', 'fortran_order': True, 'shape': (2, 2), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (4,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1), }",
        "{'descr': '|O', 'fortran_order': False, 'shape': (2, 2), }",
        "{'descr': '<U4', 'fortran_order': False, 'shape': (2, 2), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, -2), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 99999999999999999999), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 9999999999, 9999999999), }", "{'descr': '",
        "'shape': (", "", "{'descr': '<f4'}"}) {
    EXPECT_EQ(rows("c.npy", npy(header, data)), std::nullopt) << header;
  }
  EXPECT_EQ(rows("d.npy", ""), std::nullopt);
  EXPECT_EQ(rows("d.npy", "\x93NUMPY\x01"), std::nullopt);
  EXPECT_EQ(rows("d.npy", "\x93NUMPY" + std::string("\xff\x00\xff\xff\xff\xff", 6)), std::nullopt);
  EXPECT_EQ(rows("e-ubyte", idx({3, 8}, data)), std::nullopt) << "it breaks off";
  EXPECT_EQ(rows("e-ubyte", idx({}, data)), std::nullopt);
  EXPECT_EQ(rows("e-ubyte", std::string("\0\0\x07\x02", 4) + data), std::nullopt);
  EXPECT_EQ(rows("e-ubyte", std::string("\0\0\x08\xff", 4)), std::nullopt);
  EXPECT_EQ(rows("f.csv", ""), std::nullopt);
  EXPECT_THAT(*rows("f.csv", "\n\n\n"), IsEmpty());
}

// Records that are cut by the end of what is read at once.
TEST_F(OverlapTest, LongFilesAreReadInPieces) {
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += "example " + std::to_string(i) + ",\"a\nb\"\n";
  const auto read = rows("long.csv", text);
  ASSERT_TRUE(read.has_value());
  ASSERT_EQ(read->size(), 100'000u);
  EXPECT_EQ(read->at(77'777), "example 77777,\"a\nb\"");
}

}  // namespace
}  // namespace pawl::trigger
