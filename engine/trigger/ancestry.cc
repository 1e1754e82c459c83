#include "engine/trigger/ancestry.h"

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <queue>
#include <unordered_map>

#include "engine/base/files.h"
#include "engine/base/text.h"
#include "engine/trigger/git_handles.h"

namespace pawl::trigger {
namespace {

constexpr std::uint64_t kMaxShallowFile = 64 << 20;

// Commits whose parents a shallow clone has not. libgit2 1.5 does not know them.
Result<std::set<std::string>> shallow_commits(git_repository* repository) {
  const std::string path = join_path(git_repository_commondir(repository), "shallow");
  std::set<std::string> out;
  if (!path_exists(path)) return out;
  PAWL_ASSIGN(std::string text, read_file(path, kMaxShallowFile));
  for (std::string_view line : split(text, '\n')) {
    if (!line.empty()) out.emplace(trim(line));
  }
  return out;
}

// Walks the past of the commit and of the heads at once, latest commit first. What both sides reach is
// common. A rebase writes many commits in one second: those are put in order by who is whose parent.
class Walk {
 public:
  Walk(git_repository* repository, const AncestryQuery& query, std::set<std::string> shallow)
      : repository_(repository), query_(query), shallow_(std::move(shallow)) {}

  Result<Ancestry> run() {
    const unsigned alone = query_.heads.empty() ? kCommon : kCommitSide;
    PAWL_RETURN_IF_ERROR(reach(query_.commit, alone));
    for (const std::string& head : query_.heads) PAWL_RETURN_IF_ERROR(reach(head, kHeadSide));
    while (!queue_.empty() && steps_ < kMaxWalk && !is_enough()) {
      PAWL_ASSIGN(const std::vector<std::string> commits, walk_second(queue_.top().time));
      settle(commits);
    }
    return std::move(out_);
  }

 private:
  static constexpr unsigned kCommitSide = 1;
  static constexpr unsigned kHeadSide = 2;
  static constexpr unsigned kCommon = kCommitSide | kHeadSide;

  struct Seen {
    git_time_t time = 0;
    std::vector<std::string> parents;
    unsigned sides = 0;                    // who reaches it
    unsigned walked = 0;                   // what its parents know of that
    std::optional<std::int64_t> distance;  // from the base, once it is common
    bool settled = false;
  };
  struct Queued {
    git_time_t time = 0;
    std::uint64_t order = 0;
    std::string sha;
    bool operator<(const Queued& other) const {  // the largest is the next
      return time != other.time ? time < other.time : order > other.order;
    }
  };

  bool is_enough() const {
    return !out_.base.empty() && out_.found.size() >= std::min(query_.enough, query_.wanted.size());
  }

  Result<void> reach(const std::string& sha, unsigned sides) {
    const auto [it, is_new] = seen_.try_emplace(sha);
    Seen& seen = it->second;
    if (is_new) PAWL_RETURN_IF_ERROR(read_commit(sha, seen));
    if ((seen.sides | sides) == seen.sides) return {};
    seen.sides |= sides;
    queue_.push({seen.time, order_++, sha});
    return {};
  }

  Result<void> read_commit(const std::string& sha, Seen& seen) {
    PAWL_ASSIGN(const CommitPtr commit, look_up_commit(repository_, sha));
    seen.time = git_commit_time(commit.get());
    if (shallow_.contains(sha)) return {};
    for (unsigned i = 0; i < git_commit_parentcount(commit.get()); ++i)
      seen.parents.push_back(to_hex(*git_commit_parent_id(commit.get(), i)));
    return {};
  }

  // All commits of that second, or later ones that are found on the way; one whose sides grew comes again.
  Result<std::vector<std::string>> walk_second(git_time_t second) {
    std::vector<std::string> out;
    while (!queue_.empty() && queue_.top().time >= second) {
      const std::string sha = queue_.top().sha;
      queue_.pop();
      Seen& seen = seen_.at(sha);
      if (seen.walked == seen.sides) continue;  // queued again meanwhile, and walked since
      seen.walked = seen.sides;
      ++steps_;
      out.push_back(sha);
      for (const std::string& parent : seen.parents) PAWL_RETURN_IF_ERROR(reach(parent, seen.sides));
    }
    return out;
  }

  // Puts the common ones among the commits in order, children before parents.
  void settle(const std::vector<std::string>& commits) {
    std::map<std::string, int> children;  // how many of them are still to come
    for (const std::string& sha : commits) {
      const Seen& seen = seen_.at(sha);
      if (seen.sides == kCommon && !seen.settled) children.emplace(sha, 0);
      if (seen.sides != kCommon && shallow_.contains(sha)) out_.cut = true;
    }
    for (const auto& [sha, count] : children) {
      for (const std::string& parent : seen_.at(sha).parents) {
        if (const auto it = children.find(parent); it != children.end()) ++it->second;
      }
    }
    std::deque<std::string> ready;
    for (const auto& [sha, count] : children) {
      if (count == 0) ready.push_back(sha);
    }
    for (; !ready.empty() && !is_enough(); ready.pop_front()) {
      settle_one(ready.front());
      for (const std::string& parent : seen_.at(ready.front()).parents) {
        const auto it = children.find(parent);
        if (it != children.end() && --it->second == 0) ready.push_back(parent);
      }
    }
  }

  void settle_one(const std::string& sha) {
    Seen& seen = seen_.at(sha);
    seen.settled = true;
    if (out_.base.empty()) out_.base = sha;
    if (!seen.distance) seen.distance = 0;
    if (query_.wanted.contains(sha)) out_.found.push_back({sha, *seen.distance});
    if (shallow_.contains(sha) && !is_enough()) out_.cut = true;
    for (const std::string& parent : seen.parents) {
      std::optional<std::int64_t>& distance = seen_.at(parent).distance;
      distance = std::min(distance.value_or(*seen.distance + 1), *seen.distance + 1);
    }
  }

  git_repository* repository_;
  const AncestryQuery& query_;
  std::set<std::string> shallow_;
  std::unordered_map<std::string, Seen> seen_;
  std::priority_queue<Queued> queue_;
  std::uint64_t order_ = 0;
  std::size_t steps_ = 0;
  Ancestry out_;
};

constexpr const char* kOwnBranches = "refs/heads/";
constexpr const char* kOriginsBranches = "refs/remotes/origin/";

// Of exactly this name: as a revision a tag could be called like it.
std::optional<std::string> head_at(const Repository& repository, const std::string& reference) {
  auto opened = open_repository(repository.path());
  git_oid id;
  if (!opened.ok() || git_reference_name_to_id(&id, opened->get(), reference.c_str()) != 0)
    return std::nullopt;
  auto head = repository.resolve(std::string(git_oid_tostr_s(&id)));
  return head.ok() ? std::optional(std::move(*head)) : std::nullopt;
}

}  // namespace

Result<Ancestry> find_ancestors(const Repository& repository, const AncestryQuery& query) {
  PAWL_ASSIGN(RepositoryPtr opened, open_repository(repository.path()));
  PAWL_ASSIGN(auto shallow, shallow_commits(opened.get()));
  return Walk(opened.get(), query, std::move(shallow)).run();
}

Result<bool> is_shallow(const Repository& repository) {
  PAWL_ASSIGN(RepositoryPtr opened, open_repository(repository.path()));
  PAWL_ASSIGN(const auto shallow, shallow_commits(opened.get()));
  return !shallow.empty();
}

std::vector<std::string> heads_of_branch(const Repository& repository, const std::string& branch) {
  std::vector<std::string> out;
  for (const char* where : {kOwnBranches, kOriginsBranches}) {
    if (auto head = head_at(repository, where + branch)) out.push_back(*head);
  }
  return out;
}

std::optional<std::string> shared_head_of_branch(const Repository& repository, const std::string& branch) {
  auto head = head_at(repository, kOriginsBranches + branch);
  return head ? head : head_at(repository, kOwnBranches + branch);
}

Result<std::set<std::string>> tagged_commits(const Repository& repository, const std::string& pattern) {
  PAWL_ASSIGN(RepositoryPtr opened, open_repository(repository.path()));
  git_strarray names = {};
  if (int code = git_tag_list_match(&names, pattern.c_str(), opened.get()); code != 0)
    return failure(code, "cannot list tags", repository.path());
  std::set<std::string> out;
  for (std::size_t i = 0; i < names.count; ++i) {
    // A tag may be of a file or a tree.
    if (auto commit = repository.resolve(std::string("refs/tags/") + names.strings[i]); commit.ok())
      out.insert(*commit);
  }
  git_strarray_dispose(&names);
  return out;
}

}  // namespace pawl::trigger
