// Files of datasets: plain or gzip, and which of a folder's files are meant.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/error.h"

namespace pawl::evaluate {

inline constexpr std::uint64_t kMaxDataBytes = std::uint64_t{16} << 30;  // of one file, unpacked

// The whole file; what begins like gzip is unpacked, whatever its name. Errors: not_found, io; `invalid` for
// a damaged or cut-off gzip file and for one that holds more than `max_bytes`.
Result<std::string> read_data_file(const std::string& path, std::uint64_t max_bytes = kMaxDataBytes);

// Of `names` those that belong to `split`: they begin with it or hold it as a word (test.csv, x_test.npy). An
// empty split means the usual words for a test set: test, then t10k, then val; when none of them gives a
// name, all names.
std::vector<std::string> names_of_split(const std::vector<std::string>& names, const std::string& split);

// The two of `names` that are the inputs and the labels of one dataset: of the usual pairs (x and y, images
// and labels, inputs and targets, data and labels, arr_0 and arr_1), with whatever both have in common around
// these words. When `labels` names those already, the only other name is that of the inputs, whatever it is.
// Error `invalid`: no such pair, or several; the message lists the names.
struct NamePair {
  std::string inputs;
  std::string labels;
};
Result<NamePair> find_pair(std::vector<std::string> names, const std::string& split,
                           const std::string& labels, std::string_view where);

// The pair whose inputs are called `inputs`. Error `invalid`: there is none.
Result<NamePair> find_labels(const std::string& inputs, const std::vector<std::string>& names,
                             std::string_view where);

}  // namespace pawl::evaluate
