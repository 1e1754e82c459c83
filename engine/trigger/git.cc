#include "engine/trigger/git.h"

#include <fmt/format.h>
#include <git2.h>

#include <algorithm>

#include "engine/base/files.h"
#include "engine/base/subprocess.h"
#include "engine/base/text.h"
#include "engine/trigger/git_handles.h"

namespace pawl::trigger {
namespace {

using TreePtr = std::unique_ptr<git_tree, Freer<git_tree_free>>;
using TreeEntryPtr = std::unique_ptr<git_tree_entry, Freer<git_tree_entry_free>>;
using BlobPtr = std::unique_ptr<git_blob, Freer<git_blob_free>>;
using DiffPtr = std::unique_ptr<git_diff, Freer<git_diff_free>>;
using ReferencePtr = std::unique_ptr<git_reference, Freer<git_reference_free>>;
using BranchIteratorPtr = std::unique_ptr<git_branch_iterator, Freer<git_branch_iterator_free>>;
using StatusListPtr = std::unique_ptr<git_status_list, Freer<git_status_list_free>>;

constexpr size_t kMaxLine = 100'000;  // commits that somebody may ask to bisect

Result<TreePtr> tree_of(git_commit* commit) {
  git_tree* raw = nullptr;
  if (int code = git_commit_tree(&raw, commit); code != 0) return failure(code, "cannot read the tree", "");
  return TreePtr(raw);
}

// git as we run it: nothing of the user's or the machine's configuration, no prompt, no hooks, no odd
// protocols.
Result<std::string> run_git(std::vector<std::string> arguments,
                            std::map<std::string, std::string> extra_env = {}) {
  std::map<std::string, std::string> env = current_environment();
  for (auto it = env.begin(); it != env.end();) {
    it = it->first.rfind("GIT_", 0) == 0 ? env.erase(it) : std::next(it);
  }
  env["GIT_CONFIG_NOSYSTEM"] = "1";
  env["GIT_CONFIG_GLOBAL"] = "/dev/null";
  env["GIT_TERMINAL_PROMPT"] = "0";
  env["GIT_ASKPASS"] = "/bin/false";
  env["LC_ALL"] = "C";
  for (auto& [name, value] : extra_env) env[name] = value;
  CommandOptions options;
  options.argv = {"git",
                  "-c",
                  "core.hooksPath=/dev/null",
                  "-c",
                  "core.fsmonitor=false",
                  "-c",
                  "protocol.ext.allow=never",
                  "-c",
                  "protocol.file.allow=always",
                  "-c",
                  "safe.directory=*",
                  "-c",
                  "gc.auto=0",
                  "-c",
                  "advice.detachedHead=false"};
  std::string verb = arguments.empty() ? "" : arguments[0];
  for (std::string& argument : arguments) options.argv.push_back(std::move(argument));
  options.env = std::move(env);
  PAWL_ASSIGN(CommandResult result, run_command(options));
  if (!result.status.success()) {
    return Error(
        ErrorCode::unavailable,
        fmt::format("git failed ({}): {}", result.status.to_string(), to_valid_utf8(trim(result.err), 2000)),
        "git " + verb);
  }
  return std::move(result.out);
}

// The credential as an askpass program that prints what is in its environment.
Result<std::map<std::string, std::string>> credential_env(const Remote& remote) {
  if (remote.token.empty()) return std::map<std::string, std::string>{};
  PAWL_ASSIGN(std::string self, executable_path());
  return std::map<std::string, std::string>{{"GIT_ASKPASS", self},
                                            {"PAWL_ASKPASS", "1"},
                                            {"PAWL_ASKPASS_USERNAME", remote.username},
                                            {"PAWL_ASKPASS_TOKEN", remote.token}};
}

}  // namespace

Result<void> Repository::update_mirror(const Remote& remote) const {
  if (remote.url.empty() || remote.url[0] == '-') {
    return Error(ErrorCode::invalid, "is not a repository URL", remote.url);
  }
  PAWL_ASSIGN(auto env, credential_env(remote));
  if (!path_exists(path_)) {
    PAWL_RETURN_IF_ERROR(make_dirs(parent_path(path_)));
    std::string fresh = path_ + ".new";
    PAWL_RETURN_IF_ERROR(remove_tree(fresh));
    PAWL_RETURN_IF_ERROR(run_git({"init", "--quiet", "--bare", "--", fresh}));
    if (rename(fresh.c_str(), path_.c_str()) != 0) return errno_error("cannot create", path_, errno);
  }
  auto fetched =
      run_git({"--git-dir=" + path_, "fetch", "--quiet", "--prune", "--no-write-fetch-head",
               "--no-recurse-submodules", "--end-of-options", remote.url, "+refs/heads/*:refs/heads/*",
               "+refs/tags/*:refs/tags/*", "+refs/pull/*/head:refs/pull/*/head"},
              std::move(env));
  if (!fetched.ok()) return std::move(fetched).error().wrap("cannot fetch from " + remote.url);
  return {};
}

Result<std::string> Repository::resolve(std::string_view revision) const {
  PAWL_ASSIGN(RepositoryPtr repository, open_repository(path_));
  git_object* raw = nullptr;
  std::string spec = fmt::format("{}^{{commit}}", revision);
  if (int code = git_revparse_single(&raw, repository.get(), spec.c_str()); code != 0) {
    return Error(ErrorCode::not_found, fmt::format("has no commit '{}'", to_valid_utf8(revision, 200)),
                 path_);
  }
  ObjectPtr object(raw);
  char text[GIT_OID_HEXSZ + 1];
  return std::string(git_oid_tostr(text, sizeof text, git_object_id(object.get())));
}

bool Repository::has_commit(std::string_view sha) const {
  auto repository = open_repository(path_);
  return repository.ok() && look_up_commit(repository->get(), sha).ok();
}

Result<Commit> Repository::commit(std::string_view sha) const {
  PAWL_ASSIGN(RepositoryPtr repository, open_repository(path_));
  PAWL_ASSIGN(CommitPtr found, look_up_commit(repository.get(), sha));
  Commit out;
  out.sha = sha;
  const char* summary = git_commit_summary(found.get());
  out.subject = to_valid_utf8(summary != nullptr ? summary : "", 500);
  const git_signature* author = git_commit_author(found.get());
  if (author != nullptr) out.author = to_valid_utf8(fmt::format("{} <{}>", author->name, author->email), 500);
  return out;
}

Result<std::map<std::string, std::string>> Repository::branch_heads() const {
  PAWL_ASSIGN(RepositoryPtr repository, open_repository(path_));
  git_branch_iterator* raw = nullptr;
  if (int code = git_branch_iterator_new(&raw, repository.get(), GIT_BRANCH_LOCAL); code != 0) {
    return failure(code, "cannot list branches", path_);
  }
  BranchIteratorPtr iterator(raw);
  std::map<std::string, std::string> out;
  git_reference* reference = nullptr;
  git_branch_t type;
  while (git_branch_next(&reference, &type, iterator.get()) == 0) {
    ReferencePtr owned(reference);
    const char* name = nullptr;
    const git_oid* id = git_reference_target(reference);
    if (id == nullptr || git_branch_name(&name, reference) != 0) continue;
    char text[GIT_OID_HEXSZ + 1];
    out[name] = git_oid_tostr(text, sizeof text, id);
  }
  return out;
}

Result<std::string> Repository::current_branch() const {
  PAWL_ASSIGN(RepositoryPtr repository, open_repository(path_));
  git_reference* raw = nullptr;
  if (int code = git_repository_head(&raw, repository.get()); code != 0) {
    return failure(code, "the repository has no commit yet", path_);
  }
  ReferencePtr head(raw);
  if (git_reference_is_branch(head.get()) == 0) return std::string();
  return std::string(git_reference_shorthand(head.get()));
}

Result<std::optional<std::string>> Repository::file_at(std::string_view sha, std::string_view path,
                                                       uint64_t max_bytes) const {
  PAWL_ASSIGN(RepositoryPtr repository, open_repository(path_));
  PAWL_ASSIGN(CommitPtr found, look_up_commit(repository.get(), sha));
  PAWL_ASSIGN(TreePtr tree, tree_of(found.get()));
  git_tree_entry* raw = nullptr;
  int code = git_tree_entry_bypath(&raw, tree.get(), std::string(path).c_str());
  if (code == GIT_ENOTFOUND) return std::optional<std::string>();
  if (code != 0) return failure(code, "cannot look up", path);
  TreeEntryPtr entry(raw);
  bool regular = git_tree_entry_type(entry.get()) == GIT_OBJECT_BLOB &&
                 git_tree_entry_filemode(entry.get()) != GIT_FILEMODE_LINK;
  if (!regular) return Error(ErrorCode::invalid, "is not a regular file in the commit", std::string(path));
  git_blob* blob_raw = nullptr;
  if (code = git_blob_lookup(&blob_raw, repository.get(), git_tree_entry_id(entry.get())); code != 0) {
    return failure(code, "cannot read", path);
  }
  BlobPtr blob(blob_raw);
  auto size = static_cast<uint64_t>(git_blob_rawsize(blob.get()));
  if (size > max_bytes) {
    return Error(ErrorCode::invalid, "is larger than the limit of " + format_bytes(max_bytes),
                 std::string(path));
  }
  return std::optional<std::string>(
      std::string(static_cast<const char*>(git_blob_rawcontent(blob.get())), static_cast<size_t>(size)));
}

Result<std::vector<std::string>> Repository::changed_paths(std::string_view before,
                                                           std::string_view after) const {
  PAWL_ASSIGN(RepositoryPtr repository, open_repository(path_));
  PAWL_ASSIGN(CommitPtr newer, look_up_commit(repository.get(), after));
  PAWL_ASSIGN(TreePtr new_tree, tree_of(newer.get()));
  TreePtr old_tree;
  if (auto older = look_up_commit(repository.get(), before); older.ok()) {
    PAWL_ASSIGN(old_tree, tree_of(older->get()));
  } else {
    git_commit* parent = nullptr;
    if (git_commit_parent(&parent, newer.get(), 0) == 0) {
      CommitPtr owned(parent);
      PAWL_ASSIGN(old_tree, tree_of(parent));
    }
  }
  git_diff* raw = nullptr;
  if (int code = git_diff_tree_to_tree(&raw, repository.get(), old_tree.get(), new_tree.get(), nullptr);
      code != 0) {
    return failure(code, "cannot compare", after);
  }
  DiffPtr diff(raw);
  std::vector<std::string> out;
  for (size_t i = 0; i < git_diff_num_deltas(diff.get()); ++i) {
    const git_diff_delta* delta = git_diff_get_delta(diff.get(), i);
    out.emplace_back(delta->status == GIT_DELTA_DELETED ? delta->old_file.path : delta->new_file.path);
  }
  return out;
}

Result<std::vector<Commit>> Repository::first_parents(std::string_view good, std::string_view bad) const {
  PAWL_ASSIGN(RepositoryPtr repository, open_repository(path_));
  PAWL_ASSIGN(CommitPtr at, look_up_commit(repository.get(), bad));
  PAWL_ASSIGN(CommitPtr end, look_up_commit(repository.get(), good));
  std::vector<Commit> out;
  while (git_oid_cmp(git_commit_id(at.get()), git_commit_id(end.get())) != 0) {
    char text[GIT_OID_HEXSZ + 1];
    PAWL_ASSIGN(Commit found, commit(git_oid_tostr(text, sizeof text, git_commit_id(at.get()))));
    out.push_back(std::move(found));
    git_commit* parent = nullptr;
    if (git_commit_parentcount(at.get()) == 0 || out.size() > kMaxLine) {
      return Error(ErrorCode::invalid, fmt::format("commit {} is not among the first parents of {}",
                                                   good.substr(0, 10), bad.substr(0, 10)));
    }
    if (git_commit_parent(&parent, at.get(), 0) != 0) {
      return Error(ErrorCode::unavailable,
                   fmt::format("the history of this clone ends before commit {}: run `git fetch --unshallow`",
                               good.substr(0, 10)));
    }
    at.reset(parent);
  }
  std::reverse(out.begin(), out.end());
  return out;
}

Result<std::optional<std::string>> Repository::merge_base(std::string_view a, std::string_view b) const {
  PAWL_ASSIGN(RepositoryPtr repository, open_repository(path_));
  auto first = look_up_commit(repository.get(), a);
  auto second = look_up_commit(repository.get(), b);
  if (!first.ok() || !second.ok()) return std::optional<std::string>();
  git_oid base;
  int code =
      git_merge_base(&base, repository.get(), git_commit_id(first->get()), git_commit_id(second->get()));
  if (code == GIT_ENOTFOUND) return std::optional<std::string>();
  if (code != 0) return failure(code, "cannot find the merge base", path_);
  char text[GIT_OID_HEXSZ + 1];
  return std::optional<std::string>(git_oid_tostr(text, sizeof text, &base));
}

Result<void> Repository::checkout(std::string_view sha, const std::string& target) const {
  PAWL_ASSIGN(RepositoryPtr repository, open_repository(path_));
  std::string git_dir = git_repository_path(repository.get());
  auto cloned = run_git(
      {"clone", "--quiet", "--shared", "--no-checkout", "--no-tags", "--template=", "--", git_dir, target});
  if (!cloned.ok()) return std::move(cloned).error().wrap("cannot prepare the checkout");
  auto done = run_git({"-C", target, "checkout", "--quiet", "--detach", std::string(sha), "--"});
  if (!done.ok()) return std::move(done).error().wrap("cannot check out " + std::string(sha));
  return {};
}

namespace {

std::string without_slash(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

}  // namespace

Result<std::string> Repository::git_dir() const {
  PAWL_ASSIGN(RepositoryPtr repository, open_repository(path_));
  return without_slash(git_repository_path(repository.get()));
}

Result<std::string> Repository::work_dir() const {
  PAWL_ASSIGN(RepositoryPtr repository, open_repository(path_));
  const char* folder = git_repository_workdir(repository.get());
  return without_slash(folder != nullptr ? folder : git_repository_path(repository.get()));
}

Result<std::string> Repository::origin_url() const {
  PAWL_ASSIGN(RepositoryPtr repository, open_repository(path_));
  git_remote* raw = nullptr;
  int code = git_remote_lookup(&raw, repository.get(), "origin");
  if (code == GIT_ENOTFOUND) return std::string();
  if (code != 0) return failure(code, "cannot read the remote", path_);
  std::unique_ptr<git_remote, Freer<git_remote_free>> remote(raw);
  const char* url = git_remote_url(raw);
  return std::string(url != nullptr ? url : "");
}

Result<bool> Repository::has_remote() const {
  PAWL_ASSIGN(RepositoryPtr repository, open_repository(path_));
  git_strarray names = {};
  if (int code = git_remote_list(&names, repository.get()); code != 0)
    return failure(code, "cannot list the remotes", path_);
  const bool any = names.count > 0;
  git_strarray_dispose(&names);
  return any;
}

Result<bool> Repository::has_local_changes() const {
  PAWL_ASSIGN(RepositoryPtr repository, open_repository(path_));
  git_status_options options = GIT_STATUS_OPTIONS_INIT;
  options.show = GIT_STATUS_SHOW_INDEX_AND_WORKDIR;
  git_status_list* raw = nullptr;
  if (int code = git_status_list_new(&raw, repository.get(), &options); code != 0) {
    return failure(code, "cannot read the status", path_);
  }
  StatusListPtr list(raw);
  return git_status_list_entrycount(list.get()) > 0;
}

}  // namespace pawl::trigger
