#include "pipelines/match.h"

#include <fmt/format.h>

#include <algorithm>

#include "pipelines/glob.h"

namespace pawl::pipeline {
namespace {

Decision filter_matches(const std::optional<EventFilter>& filter, std::string_view event,
                        std::string_view branch, const ChangedPaths& changed) {
  if (!filter) return {false, fmt::format("the pipeline has no on.{}", event)};
  if (!any_glob_matches(filter->branches, branch))
    return {false, fmt::format("branch '{}' is not among on.{}.branches", branch, event)};
  if (!changed || (filter->paths.empty() && filter->paths_ignore.empty())) return {true, {}};
  bool relevant = std::any_of(changed->begin(), changed->end(), [&](const std::string& path) {
    bool ignored = !filter->paths_ignore.empty() && any_glob_matches(filter->paths_ignore, path);
    return !ignored && any_glob_matches(filter->paths, path);
  });
  if (relevant) return {true, {}};
  return {false, fmt::format("no changed file is within on.{}.paths", event)};
}

}  // namespace

Decision push_matches(const Triggers& on, std::string_view branch, const ChangedPaths& changed) {
  return filter_matches(on.push, "push", branch, changed);
}

Decision pull_request_matches(const Triggers& on, std::string_view target, const ChangedPaths& changed) {
  return filter_matches(on.pull_request, "pull_request", target, changed);
}

Decision data_matches(const Triggers& on, std::string_view dataset) {
  if (std::find(on.data.begin(), on.data.end(), dataset) != on.data.end()) return {true, {}};
  return {false, fmt::format("'{}' is not among on.data", dataset)};
}

bool dataset_includes(const Dataset& dataset, std::string_view path) {
  if (!any_glob_matches(dataset.include, path)) return false;
  return dataset.exclude.empty() || !any_glob_matches(dataset.exclude, path);
}

}  // namespace pawl::pipeline
