#include "engine/trigger/git_handles.h"

#include <fmt/format.h>

#include <mutex>

#include "engine/base/text.h"

namespace pawl::trigger {

Error failure(int code, std::string_view what, std::string_view where) {
  const ::git_error* last = git_error_last();
  return Error(code == GIT_ENOTFOUND ? ErrorCode::not_found : ErrorCode::io,
               fmt::format("{}: {}", what, last != nullptr ? last->message : "unknown git error"),
               std::string(where));
}

Result<RepositoryPtr> open_repository(const std::string& path) {
  static std::once_flag once;
  std::call_once(once, [] {
    git_libgit2_init();
    // Ownership checks protect against configuration run by the git program; libgit2 only reads here.
    git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0);
  });
  git_repository* raw = nullptr;
  if (int code = git_repository_open_ext(&raw, path.c_str(), 0, nullptr); code != 0) {
    return failure(code, "cannot open the git repository", path);
  }
  return RepositoryPtr(raw);
}

Result<CommitPtr> look_up_commit(git_repository* repository, std::string_view sha) {
  git_oid id;
  if (int code = git_oid_fromstrn(&id, sha.data(), sha.size()); code != 0 || sha.size() != 40) {
    return Error(ErrorCode::invalid, fmt::format("'{}' is not a commit id", to_valid_utf8(sha, 80)));
  }
  git_commit* raw = nullptr;
  if (int code = git_commit_lookup(&raw, repository, &id); code != 0)
    return failure(code, "no such commit", sha);
  return CommitPtr(raw);
}

std::string to_hex(const git_oid& id) {
  char text[GIT_OID_HEXSZ + 1];
  return git_oid_tostr(text, sizeof text, &id);
}

}  // namespace pawl::trigger
