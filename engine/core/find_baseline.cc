#include "engine/core/find_baseline.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>

#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/core/evidence.h"
#include "engine/gate/baseline_choice.h"
#include "engine/store/verdicts.h"
#include "engine/trigger/ancestry.h"

namespace pawl::core {
namespace {

using Kind = gate::BaselineRule::Kind;

// Green runs as the record has them.
struct Recorded {
  std::vector<gate::GreenRun> all;
  std::vector<gate::GreenRun> since_pin;  // with the pinned run; all, when nothing was ever pinned
  std::optional<std::string> pinned;      // the run, while the pin holds
};

gate::GreenRun green_run(const store::Baseline& event) {
  gate::GreenRun run{.id = event.run_id, .number = event.run_number, .commit = event.commit};
  auto testsets = parse_json(event.testsets, "baselines.testsets");
  if (testsets.ok() && testsets->is_object()) {
    for (const auto& [file, digest] : testsets->items()) {
      if (digest.is_string()) run.testsets[file] = digest.get<std::string>();
    }
  }
  return run;
}

Recorded sort_events(const std::vector<store::Baseline>& events) {
  Recorded out;
  for (const store::Baseline& event : events) {
    if (event.is_pin()) out.since_pin.clear();
    if (event.cause == "unpin") {
      out.pinned.reset();
      continue;
    }
    if (event.is_pin()) {
      out.pinned = event.run_id;
    } else {
      out.all.push_back(green_run(event));
    }
    out.since_pin.push_back(green_run(event));
  }
  return out;
}

// The green runs on record, and which of their commits are in the past.
struct Past {
  Recorded recorded;
  std::vector<gate::PastCommit> commits;  // nearest first
  std::string base;
  bool meets_branch = false;  // the target branch is another than the run's
};

bool wants_one(const gate::BaselineRule& rule) {
  return rule.kind == Kind::last_green || rule.kind == Kind::tag;
}

void add_commits(const std::vector<gate::GreenRun>& runs, std::set<std::string>& out) {
  for (const gate::GreenRun& run : runs) out.insert(run.commit);
}

// What brings the whole target branch, also into a clone of a single branch.
std::string fetch_command(const std::string& target, bool shallow) {
  const std::string refs = fmt::format("{0}:refs/remotes/origin/{0}", target);
  const bool plain = std::ranges::all_of(
      target, [](unsigned char c) { return std::isalnum(c) != 0 || c == '-' || c == '/' || c == '.'; });
  return fmt::format("git fetch {}origin {}", shallow ? "--unshallow --tags " : "",
                     plain ? refs : shell_quote(refs));
}

Error history_is_cut(std::string_view what, const std::string& target) {
  return Error(ErrorCode::unavailable,
               fmt::format("the history of this clone is cut: {}; run `{}` (in GitHub Actions: fetch-depth: "
                           "0, in GitLab CI: GIT_DEPTH: 0)",
                           what, fetch_command(target, true)));
}

// Leaves the green runs whose commit has a tag that fits.
Result<void> keep_tagged(const trigger::Repository& repository, const std::string& target,
                         const std::string& pattern, std::vector<gate::GreenRun>& runs) {
  if (runs.empty()) return {};
  PAWL_ASSIGN(auto tagged, trigger::tagged_commits(repository, pattern));
  std::erase_if(runs, [&](const gate::GreenRun& run) { return !tagged.contains(run.commit); });
  if (!runs.empty()) return {};
  PAWL_ASSIGN(const bool shallow, trigger::is_shallow(repository));
  if (shallow) return history_is_cut("which green runs are tagged cannot be told", target);
  return {};
}

Result<Past> look_back(Db& db, const trigger::Repository& repository, const store::Run& run,
                       const gate::Policy& policy) {
  const gate::BaselineRule& rule = policy.baseline;
  Past out;
  PAWL_ASSIGN(auto events, store::baseline_events(db, run.project, run.target));
  out.recorded = sort_events(events);
  if (out.recorded.pinned && !policy.sustained) return out;
  const bool chooses = !out.recorded.pinned;
  if (chooses && rule.kind == Kind::tag)
    PAWL_RETURN_IF_ERROR(keep_tagged(repository, run.target, rule.tag, out.recorded.all));
  trigger::AncestryQuery ancestry{.commit = run.commit_sha, .heads = {}, .wanted = {}};
  if (run.branch != run.target) {
    if (auto head = trigger::shared_head_of_branch(repository, run.target)) ancestry.heads = {*head};
  }
  if (chooses && wants_one(rule)) add_commits(out.recorded.all, ancestry.wanted);
  if (!wants_one(rule) || policy.sustained) add_commits(out.recorded.since_pin, ancestry.wanted);
  if (ancestry.wanted.empty()) return out;
  if (rule.kind == Kind::rolling) ancestry.enough = static_cast<std::size_t>(rule.runs);
  if (rule.kind == Kind::best || policy.sustained) ancestry.enough = ancestry.wanted.size();
  PAWL_ASSIGN(trigger::Ancestry found, trigger::find_ancestors(repository, ancestry));
  if (found.cut && found.found.size() < ancestry.wanted.size())
    return history_is_cut("which earlier green run is the nearest cannot be told", run.target);
  for (const trigger::Ancestor& ancestor : found.found)
    out.commits.push_back({ancestor.commit, ancestor.distance});
  out.meets_branch = !ancestry.heads.empty();
  out.base = found.base;
  return out;
}

class Finder {
 public:
  explicit Finder(const BaselineQuery& query) : query_(query), rule_(query.policy.baseline) {}

  Result<ComparedWith> run() {
    PAWL_ASSIGN(past_, look_back(query_.db, query_.repository, query_.run, query_.policy));
    out_.branch = query_.run.target;
    if (past_.recorded.pinned) {
      PAWL_ASSIGN(out_.baseline, load(*past_.recorded.pinned, "pinned"));
    }
    if (query_.policy.sustained) {
      PAWL_ASSIGN(out_.past, with_metrics(gate::in_commit_order(past_.recorded.since_pin, past_.commits)));
    }
    if (!past_.recorded.pinned) PAWL_RETURN_IF_ERROR(choose());
    return std::move(out_);
  }

 private:
  Result<void> choose() {
    auto past = gate::in_commit_order(wants_one(rule_) ? past_.recorded.all : past_.recorded.since_pin,
                                      past_.commits);
    if (!wants_one(rule_)) {
      PAWL_ASSIGN(past, with_metrics(std::move(past)));
    }
    const auto choice = gate::choose_baseline(query_.policy, query_.candidate, past);
    if (!choice) {
      name_the_empty_past();
      return {};
    }
    for (const auto& [metric, index] : choice->best) {
      PAWL_ASSIGN(out_.own_baselines[metric], load(past[index].id, "best " + metric));
      if (!out_.baseline) out_.baseline = out_.own_baselines[metric];
    }
    if (!out_.baseline) {
      PAWL_ASSIGN(out_.baseline, load(past[choice->run].id, note_on(past, *choice)));
    }
    for (gate::Metric& metric : out_.baseline->evidence.metrics) {
      const auto middle = choice->medians.find(metric.name);
      if (middle != choice->medians.end()) metric.value = middle->second;
    }
    return {};
  }

  std::string note_on(const std::vector<gate::GreenRun>& past, const gate::BaselineChoice& choice) const {
    const gate::GreenRun& run = past[choice.run];
    std::vector<std::string> notes;
    const std::size_t runs = std::min(past.size(), static_cast<std::size_t>(rule_.runs));
    if (!choice.medians.empty() && runs > 1)
      notes.push_back(fmt::format("medians of the last {} green runs", runs));
    // On the branch itself the parent is what one expects.
    if (run.distance > (past_.meets_branch ? 0 : 1)) {
      notes.push_back(fmt::format("{} commit{} before{}", run.distance, run.distance == 1 ? "" : "s",
                                  past_.meets_branch ? " the merge base" : ""));
    }
    return join(notes, ", ");
  }

  void name_the_empty_past() {
    if (past_.recorded.all.empty() && rule_.kind != Kind::tag) return;  // then the branch has none at all
    if (past_.base.empty() && past_.meets_branch) {
      out_.branch = fmt::format("the history that this commit shares with {}", query_.run.target);
    } else {
      const std::string& base = past_.base.empty() ? query_.run.commit_sha : past_.base;
      out_.branch = fmt::format("{} up to commit {}", query_.run.target, base.substr(0, 7));
    }
    if (rule_.kind == Kind::tag) out_.branch += fmt::format(", tagged {},", rule_.tag);
  }

  Result<gate::Baseline> load(const std::string& id, std::string note) {
    PAWL_ASSIGN(auto run, store::find_run(query_.db, id));
    if (!run) return Error(ErrorCode::internal, "the baseline's run is not in the record", id);
    gate::Baseline out;
    // The number here of a run from elsewhere would say nothing to whoever reads the verdict there.
    const int64_t number = run->made_here() ? run->number : 0;
    out.run = {run->id, number, run->commit_sha, run->branch, run->finished_ms.value_or(0), std::move(note)};
    PAWL_ASSIGN(out.evidence, load_evidence(query_.db, query_.cas, run->id, query_.policy));
    return out;
  }

  Result<std::vector<gate::GreenRun>> with_metrics(std::vector<gate::GreenRun> runs) {
    for (gate::GreenRun& run : runs) {
      PAWL_ASSIGN(run.metrics, load_metrics(query_.db, run.id, query_.policy));
    }
    return runs;
  }

  const BaselineQuery& query_;
  const gate::BaselineRule& rule_;
  Past past_;
  ComparedWith out_;
};

// Whether `older` is in the past of `newer`. What cannot be told (a shallow clone, a commit that is gone) is
// no.
bool is_ancestor(const trigger::Repository& repository, const std::string& older, const std::string& newer) {
  auto base = repository.merge_base(older, newer);
  return base.ok() && *base == older;
}

}  // namespace

Result<ComparedWith> find_baseline(const BaselineQuery& query) {
  auto found = Finder(query).run();
  // A gate that compares with nothing must not be red because there is nothing to be told.
  if (!found.ok() && !gate::needs_baseline(query.policy)) return ComparedWith{{}, {}, {}, query.run.target};
  return found;
}

Result<void> check_history(Db& db, const trigger::Repository& repository, const store::Run& run,
                           const gate::Policy& policy) {
  if (!gate::needs_baseline(policy)) return {};
  PAWL_ASSIGN(const bool shallow, trigger::is_shallow(repository));
  if (!shallow) return {};
  auto past = look_back(db, repository, run, policy);
  if (!past.ok()) return std::move(past).error();
  return {};
}

Result<void> check_target(Db& db, const trigger::Repository& repository, const store::Run& run,
                          const gate::Policy& own) {
  if (run.branch == run.target || trigger::shared_head_of_branch(repository, run.target)) return {};
  PAWL_ASSIGN(const auto events, store::baseline_events(db, run.project, run.target));
  PAWL_ASSIGN(const bool is_clone, repository.has_remote());
  // A gate that is off makes no baseline: one on record says that the target's is on.
  if (events.empty() && (!is_clone || !own.judges_models())) return {};
  PAWL_ASSIGN(const bool shallow, trigger::is_shallow(repository));
  return Error(
      ErrorCode::unavailable,
      fmt::format("this clone has no branch '{}', neither its own nor origin's, and its gate is what judges "
                  "this run: run `{}` (in GitHub Actions: fetch-depth: 0); when the branch has another name, "
                  "say it with --target",
                  run.target, fetch_command(run.target, shallow)));
}

Result<Placement> place_green_run(Db& db, const trigger::Repository& repository, const store::Run& run) {
  PAWL_ASSIGN(auto latest, store::latest_green(db, run.project, run.target));
  Placement out;
  if (!latest) return out;
  out.seen = latest->id;
  bool older =
      latest->run_id > run.id;  // ids are in the order of time, numbers are not: runs come from elsewhere
  if (latest->commit != run.commit_sha) {
    // After a force push what the branch no longer has gives way.
    const auto heads = trigger::heads_of_branch(repository, run.target);
    const bool kept = std::any_of(heads.begin(), heads.end(), [&](const std::string& head) {
      return is_ancestor(repository, latest->commit, head);
    });
    older = (kept || heads.empty()) && is_ancestor(repository, run.commit_sha, latest->commit);
  }
  if (older) out.newer_run = latest->run_id;
  return out;
}

}  // namespace pawl::core
