// The first .pawl.yml of an existing PyTorch repository: the training script that entry.h picks, in a
// file that runs as it is. Pure; the caller reads the disk.
#pragma once

#include <string>
#include <vector>

#include "engine/base/error.h"
#include "pipelines/entry.h"

namespace pawl::pipeline {

struct Proposal {
  std::string script;              // the training script that was picked
  std::string text;                // of the .pawl.yml; passes parse_pipeline() without a warning
  std::vector<std::string> notes;  // for the user: why this script, and what is left to do
};

// Error not_found when no script looks like training with PyTorch.
Result<Proposal> propose_pipeline(const Repository& repository);

}  // namespace pawl::pipeline
