// Reads the IDX files of MNIST-like datasets (http://yann.lecun.com/exdb/mnist), gzip'ed or plain. No torch
// in here.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

constexpr int kImageSide = 28;
constexpr int kPixels = kImageSide * kImageSide;
constexpr int kClasses = 10;

struct Examples {
  std::vector<uint8_t> pixels;  // kPixels bytes per example, row by row
  std::vector<uint8_t> labels;  // 0 .. kClasses - 1
  int64_t count() const { return static_cast<int64_t>(labels.size()); }
};

// All pairs `<prefix>*-images-idx3-ubyte.gz` and `<prefix>*-labels-idx1-ubyte.gz` of a folder, in the order
// of their names: adding a pair adds examples. Throws std::runtime_error naming the file for whatever is not
// such a pair.
Examples read_idx_folder(const std::string& folder, const std::string& prefix);
