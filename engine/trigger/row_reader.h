// The examples in a file of a dataset, as bytes, for telling whether two datasets share any. Known are, by
// name, CSV (.csv, .tsv), NumPy arrays (.npy) and IDX (names that end in -ubyte or .idx), the arrays with two
// dimensions and more: rows of a file of labels are alike by their nature.
//
// Blocks (reads the file).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "engine/base/error.h"

namespace pawl::trigger {

// Shorter rows are like others by chance.
inline constexpr size_t kMinRowBytes = 8;

// `number` counts from 1 as an editor shows lines (records, when fields hold line breaks), or array rows do;
// `header` is the first record of a CSV file, which names columns or is an example.
struct Row {
  std::string_view bytes;
  uint64_t number = 0;
  bool header = false;
};

bool has_rows(std::string_view path);

// Calls `take` with each row of kMinRowBytes and more. False: the file is not what its name says, is an array
// without rows, or is laid out by columns (Fortran order); nothing was taken then, or it broke off within.
Result<bool> read_rows(const std::string& path, const std::function<void(const Row&)>& take);

}  // namespace pawl::trigger
