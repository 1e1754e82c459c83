// Whether two datasets share examples: a model that was trained on what it is tested on is as good as it
// remembers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "engine/base/error.h"
#include "engine/trigger/data.h"

namespace pawl::trigger {

struct DataPlace {
  std::string root;  // the folder, or the file
  std::string_view manifest;
};

struct Overlap {
  uint64_t rows = 0;    // of the first dataset that are in the second too
  uint64_t files = 0;   // the same of files without rows that are known (row_reader.h)
  std::string example;  // "row 18 of test.csv is row 4 of train.csv"; empty when there is none

  bool any() const { return rows > 0 || files > 0; }
};

inline constexpr uint64_t kMaxComparedRows = 20'000'000;

// Compares rows by 128 bits of SHA-256 and files by their digests; two headers of CSV files that are alike
// share no example, nor do two empty files. Reads the files with rows of both and holds 40 bytes for each row
// of `mine`, which should be the smaller. Error invalid: more rows there than kMaxComparedRows.
Result<Overlap> find_overlap(const DataPlace& mine, const DataPlace& other);

}  // namespace pawl::trigger
