// A dataset on disk, whatever its format, as inputs and labels.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/base/error.h"
#include "stages/evaluate/csv_table.h"
#include "stages/evaluate/inputs.h"

namespace pawl::evaluate {

enum class Format { idx, npy, npz, csv, images };

struct DatasetOptions {
  std::string path = {};              // a file, or a folder that holds the dataset
  std::optional<Format> format = {};  // empty: what the names of the files say
  std::string split = {};             // which part of a folder or archive; empty: the test set
  // A file (IDX, NPY; of the folder when `path` is one), an array (NPZ) or a column (CSV); empty: the usual
  // name.
  std::string labels = {};
  std::string groups = {};  // the same for the queries of a ranking
  Normalization normalization = {};
  std::size_t limit = 0;  // only the first so many examples; 0: all
};

struct Dataset {
  std::unique_ptr<Inputs> inputs;
  Labels labels;
  std::vector<std::string> ids;       // empty: the examples are numbered
  std::vector<std::uint64_t> groups;  // codes; empty: there are none
  std::string source;                 // the file or folder that was chosen

  std::size_t size() const { return labels.size(); }
};

// Errors name the file. A folder of images has one subfolder for each class, whose name is the label.
Result<Dataset> open_dataset(const DatasetOptions& options);

}  // namespace pawl::evaluate
