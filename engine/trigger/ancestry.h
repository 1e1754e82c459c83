// Which of some commits lie in the past of a commit, nearest first, as `git log` orders them: what a run's
// baseline is chosen by. One walk, of at most kMaxWalk commits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "engine/trigger/git.h"

namespace pawl::trigger {

inline constexpr std::size_t kMaxWalk = 100'000;

// All commits by their full id.
struct AncestryQuery {
  std::string commit;
  // Only what is in the past of one of these too counts: the heads of the branch. Empty: all of the past.
  std::vector<std::string> heads;
  std::set<std::string> wanted;
  std::size_t enough = 1;  // the walk ends when it has found so many of them
};

struct Ancestor {
  std::string commit;
  std::int64_t distance = 0;  // steps from the base to it, by the shortest way
};

struct Ancestry {
  // The best common ancestor of the commit and the heads; the commit itself without heads; empty: none.
  std::string base;
  std::vector<Ancestor> found;  // the base itself may be among them
  // The walk came to where a shallow clone ends: what was not found may lie behind.
  bool cut = false;
};

// The commit and the heads must be in the repository: error not_found.
Result<Ancestry> find_ancestors(const Repository& repository, const AncestryQuery& query);

// Whether the history of the repository is cut somewhere (`git clone --depth`).
Result<bool> is_shallow(const Repository& repository);

// The heads of a branch that are known here: refs/heads and refs/remotes/origin, which differ in a clone.
std::vector<std::string> heads_of_branch(const Repository& repository, const std::string& branch);

// The head of a branch as everybody has it: origin's where the clone knows that one, for its own may be stale
// or have what nobody reviewed; else its own. nullopt: it has neither.
std::optional<std::string> shared_head_of_branch(const Repository& repository, const std::string& branch);

// The commits that carry a tag whose name fits the pattern (a glob as `git tag --list` takes it).
Result<std::set<std::string>> tagged_commits(const Repository& repository, const std::string& pattern);

}  // namespace pawl::trigger
