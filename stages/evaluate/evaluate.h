// One evaluation: a model over a dataset, and the files it leaves.
#pragma once

#include <string>
#include <vector>

#include "engine/base/error.h"
#include "stages/evaluate/dataset.h"
#include "stages/evaluate/outputs.h"

namespace pawl::evaluate {

struct Options {
  std::string model;
  DatasetOptions data;
  Task task = Task::classification;
  Scale scale = Scale::logits;
  std::string classes;             // a file with the name of a class in each line; empty: from the data
  std::vector<std::size_t> top_k;  // empty: 1 and 5, for a ranking 10
  bool all_scores = false;
  std::size_t batch = 256;
  std::string device = "auto";
  int threads = 0;
  std::string output;  // a folder
};

// Shows progress on standard error where that is a terminal, and a summary on standard output. The files
// appear at the end, or not at all.
Result<void> evaluate(const Options& options);

}  // namespace pawl::evaluate
