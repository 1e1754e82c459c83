// Earlier green runs of the target branch, and how many values of a metric become one.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/gate/metrics.h"
#include "engine/gate/policy.h"

namespace pawl::gate {

struct Evidence;

// In the past of the run that is judged.
struct GreenRun {
  std::string id;
  std::int64_t number = 0;
  std::string commit;
  std::int64_t distance = 0;  // commits from it to where the run and the target branch meet
  std::vector<Metric> metrics = {};
  // Digests of the test sets (EvaluationVector), by the predictions file, as far as they are known.
  std::map<std::string, std::string> testsets = {};
};

// The metric of an earlier run, if it is finite and was taken over the same test set as the candidate's, as
// far as both tell: the number of examples, the digest of the test set.
std::optional<double> comparable_value(const MetricRule& rule, const Evidence& candidate,
                                       const GreenRun& run);

// Of an even number of values the mean of the middle two. At least one value.
double median(std::vector<double> values);

}  // namespace pawl::gate
