// Whether an event starts a run of a pipeline, and why not.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pipelines/pipeline.h"

namespace pawl::pipeline {

// Paths relative to the root of the repository. Nothing: not known, as for a new branch or after a forced
// push; a path filter then lets the event through, for a run too many is better than a change unchecked.
// An empty list is known to be empty: a path filter stops it.
using ChangedPaths = std::optional<std::vector<std::string>>;

struct Decision {
  bool start = false;
  std::string reason;  // when it does not start: a sentence for a person

  explicit operator bool() const { return start; }
};

Decision push_matches(const Triggers& on, std::string_view branch, const ChangedPaths& changed);

// `target` is the branch the request wants to go into, `changed` what differs from the merge base with it.
Decision pull_request_matches(const Triggers& on, std::string_view target, const ChangedPaths& changed);

Decision data_matches(const Triggers& on, std::string_view dataset);

// Whether a file of the dataset's folder belongs to the dataset. `path` is relative to that folder.
bool dataset_includes(const Dataset& dataset, std::string_view path);

}  // namespace pawl::pipeline
