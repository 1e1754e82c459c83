// Git, split in two: libgit2 reads local repositories (refs, blobs, diffs, ancestry), the git program talks
// to remotes and writes checkouts. No hook, external protocol, credential prompt or user configuration takes
// part.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/error.h"

namespace pawl::trigger {

struct Commit {
  std::string sha;
  std::string subject;  // first line of the message
  std::string author;   // "Name <mail>"
};

// How to reach a remote. The token goes through an askpass helper's environment, never through argv or the
// URL.
struct Remote {
  std::string url;
  std::string username;
  std::string token;
};

// A local repository, bare or not. Values only: every call opens the repository anew, so any thread may use
// it.
class Repository {
 public:
  explicit Repository(std::string path) : path_(std::move(path)) {}
  const std::string& path() const { return path_; }

  // Clones the remote as a bare mirror if `path` is not there yet, else fetches all branches, tags and pull
  // request heads. Blocks; minutes on a slow line.
  Result<void> update_mirror(const Remote& remote) const;

  // A full object id for a branch, tag, abbreviated id or HEAD. Error not_found.
  Result<std::string> resolve(std::string_view revision) const;
  bool has_commit(std::string_view sha) const;
  Result<Commit> commit(std::string_view sha) const;
  Result<std::map<std::string, std::string>> branch_heads() const;  // name -> sha
  // The branch HEAD is on; empty when detached.
  Result<std::string> current_branch() const;

  // The blob at `path` in the commit; nullopt when there is none. Larger than max_bytes, a folder or a
  // symbolic link is an error.
  Result<std::optional<std::string>> file_at(std::string_view sha, std::string_view path,
                                             uint64_t max_bytes) const;

  // Paths that differ between two commits; from an empty or unknown `before`, all paths of `after`'s tree
  // that differ from its first parent (everything, for a root commit).
  Result<std::vector<std::string>> changed_paths(std::string_view before, std::string_view after) const;

  // The commits after `good` up to `bad`, oldest first, by first parents: of a merge the branch it was merged
  // into. Error invalid when `good` is not on that line, unavailable when a shallow clone ends before it.
  Result<std::vector<Commit>> first_parents(std::string_view good, std::string_view bad) const;

  // The best common ancestor; nullopt when the histories are unrelated or a commit is not here.
  Result<std::optional<std::string>> merge_base(std::string_view a, std::string_view b) const;

  // Writes exactly the commit's files to `target`, which must not exist yet, as a checkout with a detached
  // HEAD.
  Result<void> checkout(std::string_view sha, const std::string& target) const;

  Result<std::string> git_dir() const;     // absolute, of a working tree too
  Result<std::string> work_dir() const;    // absolute; the git folder itself of a bare repository
  Result<std::string> origin_url() const;  // of the remote "origin"; empty when there is none
  Result<bool> has_remote() const;         // of any name: what is here may be a part of what is there

  // Whether tracked files differ from HEAD (a notice for `pawl run`, nothing more).
  Result<bool> has_local_changes() const;

 private:
  std::string path_;
};

}  // namespace pawl::trigger
