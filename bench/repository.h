// A bare repository that a benchmark pushes to.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/base/error.h"

namespace pawl::bench {

// Its commits exist from the start, on no branch, so a push is one move of a reference. The one stage of
// commit n writes the time of its first act, in seconds since 1970, to <started>/n. Runs of the branch main
// only; nothing to gate.
class Repository {
 public:
  static Result<Repository> create(const std::string& path, const std::string& started, size_t commits);

  const std::string& commit(size_t number) const { return commits_[number]; }
  Result<void> move_main(size_t number);

 private:
  explicit Repository(std::string path) : path_(std::move(path)) {}
  Result<std::string> git(const std::vector<std::string>& words, std::string_view input = {}) const;

  std::string path_;
  std::vector<std::string> commits_;
};

}  // namespace pawl::bench
