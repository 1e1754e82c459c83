#include "engine/core/trial.h"

#include <fmt/format.h>

#include "engine/base/files.h"
#include "engine/base/ids.h"
#include "engine/base/text.h"
#include "engine/core/kept_data.h"
#include "engine/core/rescoring.h"
#include "engine/store/results.h"
#include "engine/trigger/git.h"

namespace pawl::core {
namespace {

constexpr std::string_view kEventKey = "trial:";

bool has_same(const DataDigests& used, const DataDigests& wanted) {
  for (const auto& [dataset, digest] : used) {
    const auto it = wanted.find(dataset);
    if (it == wanted.end() || it->second != digest) return false;
  }
  return true;
}

// Of a run that was made elsewhere the files may not be here.
Result<bool> has_predictions(Db& db, const store::Cas& cas, const store::Run& run) {
  PAWL_ASSIGN(const auto artifacts, store::artifacts_of(db, run.id));
  for (const store::Artifact& artifact : artifacts) {
    if (artifact.path.starts_with("predictions.") && !cas.path_of(artifact.digest).ok()) return false;
  }
  return true;
}

std::string short_digest(std::string_view digest) {
  return std::string(digest.substr(0, 15));  // "sha256:" and eight digits
}

}  // namespace

bool is_trial(const store::Run& run) {
  return run.event_key.starts_with(kEventKey);
}

Result<NewRun> new_trial(const Trial& trial, int64_t now_ms) {
  PAWL_ASSIGN(const trigger::Commit commit, trigger::Repository(trial.repository).commit(trial.commit));
  NewRun run;
  run.project = trial.project;
  run.event_key = std::string(kEventKey) + new_ulid(now_ms);
  run.trigger = "manual";
  run.note = trial.note;
  run.branch = std::string(kEventKey) + trial.asked_by;  // no branch of git can have a colon
  run.target = trial.target;
  run.sha = trial.commit;
  run.subject = commit.subject;
  run.author = commit.author;
  run.source = {trial.repository, trial.data, trial.versions};
  return run;
}

bool trains_the_same(const store::Run& open, const RunSource& source, const NewRun& asked) {
  if (!is_trial(open) || open.finished() || !open.cancel.empty()) return false;
  if (open.project != asked.project || open.commit_sha != asked.sha) return false;
  // A dataset that is not pinned to a version is whatever its folder has.
  const auto unpinned = [](const RunSource& of) {
    std::map<std::string, std::string> folders = of.data;
    std::erase_if(folders, [&](const auto& folder) { return of.versions.contains(folder.first); });
    return folders;
  };
  return source.versions == asked.source.versions && unpinned(source) == unpinned(asked.source);
}

Result<DataDigests> data_used(Db& db, const Home& home, const store::Run& run) {
  PAWL_ASSIGN(auto used, store::data_of(db, run.id));
  const std::string checkout = home.source(run.id) + "/";
  DataDigests out;
  for (const store::RunData& data : used) {
    if (!data.path.starts_with(checkout)) out[data.dataset] = data.digest;
  }
  return out;
}

Result<bool> ran_to_its_end(Db& db, const store::Run& run) {
  PAWL_ASSIGN(const auto stages, store::stages_of(db, run.id));
  for (const store::Stage& stage : stages) {
    if (!is_rescoring(stage.name) && stage.state != "succeeded") return false;
  }
  PAWL_ASSIGN(const auto metrics, store::metrics_of(db, run.id));
  return !metrics.empty();
}

Result<std::optional<store::Run>> find_measured(Db& db, const Home& home, const std::string& project,
                                                const std::string& commit, const DataDigests& data) {
  PAWL_ASSIGN(auto runs, store::runs_of_commit(db, project, commit));
  for (store::Run& run : runs) {
    if (!run.finished()) continue;
    PAWL_ASSIGN(const bool whole, ran_to_its_end(db, run));
    PAWL_ASSIGN(const DataDigests used, data_used(db, home, run));
    PAWL_ASSIGN(const bool here, has_predictions(db, store::Cas(home.cas()), run));
    if (whole && here && has_same(used, data)) return std::optional<store::Run>(std::move(run));
  }
  return std::optional<store::Run>();
}

Result<FoundVersion> find_version(Db& db, const store::Cas& cas, const WantedVersion& wanted) {
  PAWL_ASSIGN(auto version, store::find_data_version(db, wanted.project, wanted.dataset, wanted.digest));
  std::vector<trigger::DataSpec> places = wanted.places;
  if (version && !places.empty()) {
    places.push_back(places.front());
    places.back().root = version->path;
  }
  trigger::StatCache cache;
  for (const trigger::DataSpec& place : places) {
    const auto found = trigger::scan_data(place, cache);
    if (found.ok() && found->digest == wanted.digest) return FoundVersion{place.root};
  }
  if (version && is_kept(cas, *version)) return FoundVersion{"", std::move(version)};
  return Error(
      ErrorCode::not_found,
      fmt::format(
          "version {1} of dataset '{0}' is gone: {2} has another one now and no copy was kept; with a "
          "copy, `--data {0}=FOLDER` names it, and `keep: copy` in .pawl.yml keeps the versions to come",
          wanted.dataset, short_digest(wanted.digest), places.empty() ? "the machine" : places.front().root));
}

}  // namespace pawl::core
