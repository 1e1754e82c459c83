#include "engine/record/git_store.h"

#include <fmt/format.h>
#include <git2.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <random>
#include <ranges>
#include <thread>

#include "engine/base/digest.h"
#include "engine/base/files.h"
#include "engine/base/subprocess.h"
#include "engine/base/text.h"
#include "engine/trigger/git.h"
#include "engine/trigger/git_handles.h"

namespace pawl::record {
namespace {

using trigger::CommitPtr;
using trigger::failure;
using trigger::Freer;
using trigger::look_up_commit;
using trigger::open_repository;
using trigger::RepositoryPtr;

using BlobPtr = std::unique_ptr<git_blob, Freer<git_blob_free>>;
using SignaturePtr = std::unique_ptr<git_signature, Freer<git_signature_free>>;
using TreeBuilderPtr = std::unique_ptr<git_treebuilder, Freer<git_treebuilder_free>>;
using TreeEntryPtr = std::unique_ptr<git_tree_entry, Freer<git_tree_entry_free>>;
using TreePtr = std::unique_ptr<git_tree, Freer<git_tree_free>>;

// What was fetched: so that it is not fetched again, and stays through a `git gc`.
constexpr const char* kFetchedRef = "refs/pawl/fetched";
constexpr int kTries = 40;
constexpr std::string_view kNoCommit = "0000000000000000000000000000000000000000";
constexpr std::string_view kReadme =
    "This ref is the record of Pawl (its docs/record.md says more): what runs of this repository\n"
    "are compared with. Entries are only ever added.\n";
constexpr std::string_view kPermission =
    "the record is a ref that is pushed to: the job needs permission to write to the repository (GitHub "
    "Actions: "
    "`permissions: contents: write`; GitLab: a token with the scope write_repository; Jenkins: credentials "
    "that may "
    "push)";

// Variables that would make git look at another repository than the one it is told.
bool points_elsewhere(const std::string& variable) {
  static constexpr std::array kNames = {"GIT_DIR",        "GIT_WORK_TREE",
                                        "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY",
                                        "GIT_COMMON_DIR", "GIT_ALTERNATE_OBJECT_DIRECTORIES",
                                        "GIT_NAMESPACE",  "GIT_QUARANTINE_PATH",
                                        "GIT_PREFIX"};
  return std::find(kNames.begin(), kNames.end(), variable) != kNames.end();
}

Result<CommandResult> run_git(const std::string& repository, std::vector<std::string> arguments) {
  CommandOptions options;
  options.env = current_environment();
  std::erase_if(*options.env, [](const auto& variable) { return points_elsewhere(variable.first); });
  (*options.env)["GIT_TERMINAL_PROMPT"] = "0";
  (*options.env)["LC_ALL"] = "C";  // what it says is looked at
  options.argv = {"git", "-C", repository};
  for (const char* setting :
       {"core.hooksPath=/dev/null", "safe.directory=*", "gc.auto=0", "maintenance.auto=false",
        "push.followTags=false", "push.gpgSign=false", "push.recurseSubmodules=no",
        "fetch.recurseSubmodules=no", "remote.origin.mirror=false"}) {
    options.argv.insert(options.argv.end(), {"-c", setting});
  }
  std::move(arguments.begin(), arguments.end(), std::back_inserter(options.argv));
  return run_command(options);
}

std::string said(const CommandResult& result) {
  return fmt::format("git failed ({}): {}", result.status.to_string(), to_valid_utf8(trim(result.err), 2000));
}

// Somebody else held the ref, or had moved it: worth another try.
bool was_a_race(const std::string& text) {
  static constexpr std::array kSigns = {"cannot lock ref",
                                        "failed to update ref",
                                        "incorrect old value",
                                        "fetch first",
                                        "reference already exists",
                                        "non-fast-forward",
                                        "Unable to create",
                                        "stale info",
                                        "but expected"};
  return std::any_of(kSigns.begin(), kSigns.end(),
                     [&](const char* sign) { return text.find(sign) != std::string::npos; });
}

void wait_a_little(int tries) {
  thread_local std::minstd_rand random{std::random_device{}()};
  const int most = 20 * std::min(tries + 1, 20);
  std::this_thread::sleep_for(std::chrono::milliseconds(std::uniform_int_distribution<int>(1, most)(random)));
}

Result<TreePtr> tree_of(git_repository* repository, const std::string& commit) {
  PAWL_ASSIGN(CommitPtr found, look_up_commit(repository, commit));
  git_tree* tree = nullptr;
  if (const int code = git_commit_tree(&tree, found.get()); code != 0)
    return failure(code, "cannot read the tree of", commit);
  return TreePtr(tree);
}

Result<TreePtr> empty_tree(git_repository* repository) {
  git_treebuilder* raw = nullptr;
  if (const int code = git_treebuilder_new(&raw, repository, nullptr); code != 0)
    return failure(code, "cannot make a tree", "");
  TreeBuilderPtr builder(raw);
  git_oid id;
  if (const int code = git_treebuilder_write(&id, raw); code != 0)
    return failure(code, "cannot write a tree", "");
  git_tree* tree = nullptr;
  if (const int code = git_tree_lookup(&tree, repository, &id); code != 0)
    return failure(code, "cannot read a tree", "");
  return TreePtr(tree);
}

// The folder at `path` of the tree; null when there is none.
Result<TreePtr> folder_at(git_repository* repository, git_tree* tree, const std::string& path) {
  git_tree_entry* raw = nullptr;
  const int code = git_tree_entry_bypath(&raw, tree, path.c_str());
  if (code == GIT_ENOTFOUND) return TreePtr();
  if (code != 0) return failure(code, "cannot look up", path);
  const TreeEntryPtr entry(raw);
  if (git_tree_entry_type(raw) != GIT_OBJECT_TREE) return Error(ErrorCode::invalid, "is not a folder", path);
  git_tree* folder = nullptr;
  if (const int found = git_tree_lookup(&folder, repository, git_tree_entry_id(raw)); found != 0)
    return failure(found, "cannot read", path);
  return TreePtr(folder);
}

bool has_path(git_tree* tree, const std::string& path) {
  git_tree_entry* raw = nullptr;
  const bool found = git_tree_entry_bypath(&raw, tree, path.c_str()) == 0;
  if (found) git_tree_entry_free(raw);
  return found;
}

// What a commit adds to a tree.
class Additions {
 public:
  Additions(git_repository* repository, git_tree* base) : repository_(repository), base_(base) {}

  Result<void> text(const std::string& path, std::string_view text) {
    if (has_path(base_, path)) return {};
    git_oid id;
    const int code = git_blob_create_from_buffer(&id, repository_, text.data(), text.size());
    if (code != 0) return failure(code, "cannot write", path);
    ids_[path] = id;
    return {};
  }
  Result<void> file(const NewFile& file) {
    const std::string path = file_path(file.digest);
    if (has_path(base_, path)) return {};
    PAWL_ASSIGN(std::string content, read_file(file.path, kMaxGitFileBytes));
    if ("sha256:" + sha256_hex(content) != file.digest)
      return Error(ErrorCode::io, "is damaged: its content has another digest", file.path);
    return text(path, content);
  }
  bool empty() const { return ids_.empty(); }

  Result<TreePtr> tree() const {
    std::vector<git_tree_update> updates;
    for (const auto& [path, id] : ids_) {
      updates.push_back({GIT_TREE_UPDATE_UPSERT, id, GIT_FILEMODE_BLOB, path.c_str()});
    }
    git_oid id;
    int code = git_tree_create_updated(&id, repository_, base_, updates.size(), updates.data());
    if (code != 0) return failure(code, "cannot write the tree of the record", "");
    git_tree* tree = nullptr;
    code = git_tree_lookup(&tree, repository_, &id);
    if (code != 0) return failure(code, "cannot read the tree of the record", "");
    return TreePtr(tree);
  }

 private:
  git_repository* repository_;
  git_tree* base_;
  std::map<std::string, git_oid> ids_;  // by path
};

Result<std::string> make_commit(git_repository* repository, git_tree* tree, const std::string& parent,
                                const std::string& message) {
  CommitPtr before;
  if (!parent.empty()) {
    PAWL_ASSIGN(before, look_up_commit(repository, parent));
  }
  git_signature* raw = nullptr;
  if (const int code = git_signature_now(&raw, "Pawl", "pawl@localhost"); code != 0)
    return failure(code, "cannot sign", "");
  const SignaturePtr signature(raw);
  const git_commit* parents[] = {before.get()};
  git_oid id;
  const int code = git_commit_create(&id, repository, nullptr, raw, raw, nullptr, message.c_str(), tree,
                                     before ? 1 : 0, parents);
  if (code != 0) return failure(code, "cannot write the commit of the record", "");
  return trigger::to_hex(id);
}

}  // namespace

// CI systems put tokens into URLs.
std::string GitStore::name() const {
  const std::size_t begin = remote_.find("://"), end = remote_.find('@');
  if (remote_.empty()) return "the record in " + repository_;
  if (begin == std::string::npos || end == std::string::npos) return "the record in " + remote_;
  return "the record in " + remote_.substr(0, begin + 3) + remote_.substr(end + 1);
}

Result<void> GitStore::open() {
  PAWL_ASSIGN(remote_, trigger::Repository(repository_).origin_url());
  PAWL_RETURN_IF_ERROR(fetch());
  if (remote_.empty()) return {};
  // Asks the remote whether we may push, and changes nothing. Before there is a record any commit will do.
  std::string commit = head_;
  if (commit.empty()) {
    PAWL_ASSIGN(commit, trigger::Repository(repository_).resolve("HEAD"));
  }
  PAWL_ASSIGN(CommandResult tried, run_git(repository_, {"push", "--quiet", "--dry-run", "--no-verify",
                                                         "origin", fmt::format("{}:{}", commit, kGitRef)}));
  // Somebody else's entry, since we looked, makes it no fast-forward: then we may push.
  if (tried.status.success() || was_a_race(tried.err)) return {};
  return Error(ErrorCode::unavailable, fmt::format("cannot be written: {}; {}", said(tried), kPermission));
}

Result<std::string> GitStore::remote_head() const {
  const std::vector<std::string> question =
      remote_.empty() ? std::vector<std::string>{"for-each-ref", "--format=%(objectname)", kGitRef}
                      : std::vector<std::string>{"ls-remote", "origin", kGitRef};
  PAWL_ASSIGN(CommandResult listed, run_git(repository_, question));
  if (!listed.status.success()) return Error(ErrorCode::unavailable, "cannot be read: " + said(listed));
  return std::string(listed.out.substr(0, listed.out.find_first_of("\t\n")));
}

Result<void> GitStore::fetch() {
  PAWL_ASSIGN(std::string head, remote_head());
  const bool here = head.empty() || trigger::Repository(repository_).has_commit(head);
  if (!here) {
    PAWL_ASSIGN(CommandResult fetched,
                run_git(repository_, {"fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-filter",
                                      "origin", kGitRef}));
    if (!fetched.status.success())
      return Error(ErrorCode::unavailable, "cannot be fetched: " + said(fetched));
  }
  head_ = std::move(head);
  // Others may do the same in this clone: whose wins does not matter.
  if (!remote_.empty() && !head_.empty()) (void)run_git(repository_, {"update-ref", kFetchedRef, head_});
  return {};
}

Result<std::vector<std::string>> GitStore::list(const std::string& project) {
  PAWL_RETURN_IF_ERROR(fetch());
  std::vector<std::string> out;
  if (head_.empty()) return out;
  PAWL_ASSIGN(RepositoryPtr repository, open_repository(repository_));
  PAWL_ASSIGN(TreePtr tree, tree_of(repository.get(), head_));
  for (const Kind kind : kWritingOrder) {
    PAWL_ASSIGN(TreePtr folder, folder_at(repository.get(), tree.get(), entry_folder(project, kind)));
    for (std::size_t i = 0; folder && i < git_tree_entrycount(folder.get()); ++i) {
      const std::string name = git_tree_entry_name(git_tree_entry_byindex(folder.get(), i));
      PAWL_ASSIGN(TreePtr shard, folder_at(repository.get(), folder.get(), name));
      for (std::size_t k = 0; k < git_tree_entrycount(shard.get()); ++k) {
        const char* entry = git_tree_entry_name(git_tree_entry_byindex(shard.get(), k));
        if (kind_of(entry) == kind) out.emplace_back(entry);
      }
    }
  }
  return out;
}

Result<std::string> GitStore::read_blob(const std::string& path, std::uint64_t max_bytes) const {
  if (head_.empty()) return Error(ErrorCode::not_found, "is not in the record", path);
  PAWL_ASSIGN(auto text, trigger::Repository(repository_).file_at(head_, path, max_bytes));
  if (!text) return Error(ErrorCode::not_found, "is not in the record", path);
  return std::move(*text);
}

Result<std::string> GitStore::get(const std::string& project, const std::string& name) {
  return read_blob(entry_path(project, name), kMaxEntryBytes);
}

Result<void> GitStore::get_file(const std::string& digest, const std::string& to) const {
  PAWL_ASSIGN(std::string content, read_blob(file_path(digest), kMaxGitFileBytes));
  return write_file_atomic(to, content);
}

std::string GitStore::refuses(const NewFile& file) const {
  if (!file.judged) return "git keeps only the files that the gate reads";
  if (file.bytes <= kMaxGitFileBytes) return {};
  return fmt::format(
      "is {}, git keeps files of at most {}; a paired test with this run as the baseline will miss it",
      format_bytes(file.bytes), format_bytes(kMaxGitFileBytes));
}

Result<std::string> GitStore::commit(const std::string& project, const std::vector<NewFile>& files,
                                     const std::vector<NewEntry>& entries) const {
  PAWL_ASSIGN(RepositoryPtr repository, open_repository(repository_));
  PAWL_ASSIGN(TreePtr base, head_.empty() ? empty_tree(repository.get()) : tree_of(repository.get(), head_));
  Additions additions(repository.get(), base.get());
  for (const NewFile& file : files) PAWL_RETURN_IF_ERROR(additions.file(file));
  for (const NewEntry& entry : entries)
    PAWL_RETURN_IF_ERROR(additions.text(entry_path(project, entry.name), entry.text));
  if (additions.empty()) return std::string();
  PAWL_RETURN_IF_ERROR(additions.text("README.md", kReadme));
  PAWL_ASSIGN(TreePtr tree, additions.tree());
  return make_commit(repository.get(), tree.get(), head_,
                     fmt::format("record: {} {} of {}\n", entries.size(),
                                 entries.size() == 1 ? "entry" : "entries", project));
}

Result<void> GitStore::publish(const std::string& commit) const {
  const std::vector<std::string> arguments =
      remote_.empty() ? std::vector<std::string>{"update-ref", kGitRef, commit,
                                                 head_.empty() ? std::string(kNoCommit) : head_}
                      : std::vector<std::string>{"push", "--quiet", "--no-verify", "origin",
                                                 fmt::format("{}:{}", commit, kGitRef)};
  PAWL_ASSIGN(CommandResult done, run_git(repository_, arguments));
  if (done.status.success()) return {};
  if (was_a_race(done.err)) return Error(ErrorCode::conflict, said(done));
  // A server may word it in its own way; that the ref has moved says the same.
  auto now = remote_head();
  if (now.ok() && *now != head_) return Error(ErrorCode::conflict, said(done));
  return Error(ErrorCode::unavailable, fmt::format("cannot be written: {}; {}", said(done), kPermission));
}

Result<void> GitStore::add(const std::string& project, const std::vector<NewFile>& files,
                           const std::vector<NewEntry>& entries) {
  Result<void> published;
  for (int tries = 0; tries < kTries; ++tries) {
    PAWL_ASSIGN(std::string made, commit(project, files, entries));
    if (made.empty()) return {};
    published = publish(made);
    if (published.ok()) {
      head_ = made;
      return {};
    }
    if (published.error().code() != ErrorCode::conflict) return published;
    wait_a_little(tries);
    PAWL_RETURN_IF_ERROR(fetch());
  }
  return std::move(published).error().wrap(
      fmt::format("others were faster {} times in a row; try again with `pawl record push`", kTries));
}

}  // namespace pawl::record
