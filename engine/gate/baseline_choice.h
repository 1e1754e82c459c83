// Which earlier run a run is compared with: pure, from the green runs of the target branch and the order of
// their commits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/gate/verdict.h"

namespace pawl::gate {

// Whether a check of the policy compares with an earlier run at all.
bool needs_baseline(const Policy& policy);

// A commit in the past, and how many commits before the base it is.
struct PastCommit {
  std::string commit;
  std::int64_t distance = 0;
};

// The runs of the given commits, oldest commit first, of one commit the run that was made first (by its
// id): when a run finished plays no part. Runs of other commits are left out.
std::vector<GreenRun> in_commit_order(std::vector<GreenRun> runs, std::span<const PastCommit> nearest_first);

struct BaselineChoice {
  std::size_t run = 0;                      // index into the past
  std::map<std::string, std::size_t> best;  // of Kind::best: metric -> the run in which it was best
  std::map<std::string, double> medians;    // of Kind::rolling
};

// nullopt: the past is empty. For Kind::tag the past holds tagged runs only. A metric that no run of the past
// has on a comparable test set is not among `best` and `medians`.
std::optional<BaselineChoice> choose_baseline(const Policy& policy, const Evidence& candidate,
                                              std::span<const GreenRun> past);

}  // namespace pawl::gate
