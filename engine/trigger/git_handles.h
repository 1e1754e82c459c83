// libgit2's objects as owners, and how a repository is opened. For the .cc files here only: <git2.h> is
// heavy.
#pragma once

#include <git2.h>

#include <memory>
#include <string>
#include <string_view>

#include "engine/base/error.h"

namespace pawl::trigger {

template <auto Free>
struct Freer {
  template <class T>
  void operator()(T* pointer) const {
    Free(pointer);
  }
};
using RepositoryPtr = std::unique_ptr<git_repository, Freer<git_repository_free>>;
using ObjectPtr = std::unique_ptr<git_object, Freer<git_object_free>>;
using CommitPtr = std::unique_ptr<git_commit, Freer<git_commit_free>>;

// libgit2's last error; not_found when `code` says that something is missing.
Error failure(int code, std::string_view what, std::string_view where);

Result<RepositoryPtr> open_repository(const std::string& path);
// By its full id. Error invalid (no id), not_found.
Result<CommitPtr> look_up_commit(git_repository* repository, std::string_view sha);
std::string to_hex(const git_oid& id);

}  // namespace pawl::trigger
