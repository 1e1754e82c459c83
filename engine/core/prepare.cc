#include "engine/core/prepare.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/base/files.h"
#include "engine/core/find_baseline.h"
#include "engine/core/green_runs.h"
#include "engine/core/kept_data.h"
#include "engine/core/push_events.h"
#include "engine/core/trial.h"
#include "engine/store/database.h"
#include "engine/trigger/ancestry.h"
#include "engine/trigger/git.h"
#include "engine/trigger/overlap.h"
#include "pipelines/load.h"
#include "pipelines/parse.h"

namespace pawl::core {
namespace {

// One line, with the place in the repository: it becomes the run's headline. `pawl check` shows the line and
// a caret.
Error pipeline_error(const pipeline::ParseResult& parsed) {
  size_t errors = 0;
  std::string text;
  for (const Diagnostic& d : parsed.diagnostics) {
    if (d.level != Diagnostic::Level::error || ++errors > 1) continue;
    std::string file = d.file.substr(d.file.find_last_of('/') + 1);
    text =
        d.line > 0 ? fmt::format("{}:{}:{}: {}", file, d.line, d.column, d.message) : file + ": " + d.message;
    if (!d.hint.empty()) text += fmt::format(" ({})", d.hint);
  }
  if (errors > 1) text += fmt::format("; and {} more mistake{}", errors - 1, errors == 2 ? "" : "s");
  return Error(ErrorCode::usage, text);
}

Result<pipeline::Pipeline> read_pipeline(const std::string& folder) {
  pipeline::ParseResult parsed = pipeline::load_pipeline(folder);
  if (!parsed.pipeline) return pipeline_error(parsed);
  return std::move(*parsed.pipeline);
}

// The folder of a version, laid out when only its copy is left.
Result<std::string> place_version(const Home& home, const store::Run& run, const WantedVersion& wanted) {
  PAWL_ASSIGN(Db db, store::open_record_for_reading(home.database()));
  const store::Cas cas(home.cas());
  PAWL_ASSIGN(const FoundVersion found, find_version(db, cas, wanted));
  if (!found.kept) return found.folder;
  return lay_out(cas, *found.kept, trial_data_dir(home, run.id) + "/" + wanted.dataset);
}

std::string describe(const trigger::Overlap& overlap, const std::string& mine, const std::string& other) {
  std::string what;
  if (overlap.rows > 0) what = fmt::format("{} row{}", overlap.rows, overlap.rows == 1 ? "" : "s");
  if (overlap.rows > 0 && overlap.files > 0) what += " and ";
  if (overlap.files > 0) what += fmt::format("{} file{}", overlap.files, overlap.files == 1 ? "" : "s");
  return fmt::format("{} of dataset '{}' {} in '{}' too: {}", what, mine,
                     overlap.rows + overlap.files == 1 ? "is" : "are", other, overlap.example);
}

// By the first two datasets that share examples although they must not.
Result<std::optional<gate::Verdict>> refuse_shared_examples(const Prepared& prepared) {
  const auto data_of = [&](const std::string& name) -> const PreparedData& {
    return *std::find_if(prepared.data.begin(), prepared.data.end(),
                         [&](const PreparedData& data) { return data.dataset == name; });
  };
  for (const pipeline::Dataset& dataset : prepared.pipeline.data) {
    for (const std::string& name : dataset.disjoint_from) {
      const PreparedData& mine = data_of(dataset.name);
      const PreparedData& other = data_of(name);
      auto found =
          trigger::find_overlap({mine.path, mine.version.manifest}, {other.path, other.version.manifest});
      if (!found.ok()) return std::move(found).error().wrap(fmt::format("dataset '{}'", dataset.name));
      if (found->any()) {
        return std::optional<gate::Verdict>(
            gate::refuse_overlap(dataset.name, describe(*found, dataset.name, name)));
      }
    }
  }
  return std::optional<gate::Verdict>();
}

// The gate of the target branch in the place of the commit's own.
Result<void> take_target_gate(const trigger::Repository& repository, const store::Run& run, Prepared& out) {
  if (run.branch == run.target) return {};
  PAWL_ASSIGN(auto gate, target_gate(repository, run.target));
  if (gate) out.pipeline.gate = std::move(*gate);
  return {};
}

// What the gate needs of it.
Result<void> look_at_the_past(Db& db, const trigger::Repository& repository, const store::Run& run,
                              Prepared& out) {
  const gate::Policy& gate = out.pipeline.gate;
  PAWL_RETURN_IF_ERROR(check_history(db, repository, run, gate));
  if (gate.early) {
    PAWL_ASSIGN(out.green_runs, last_green_runs(db, repository, run, gate.early->runs));
  }
  return {};
}

}  // namespace

Result<std::optional<gate::Policy>> target_gate(const trigger::Repository& repository,
                                                const std::string& target) {
  const auto head = trigger::shared_head_of_branch(repository, target);
  if (!head) return std::optional<gate::Policy>();
  PAWL_ASSIGN(auto pipeline, pipeline_at(repository, *head, target));
  if (!pipeline) return std::optional<gate::Policy>();
  return std::optional<gate::Policy>(std::move(pipeline->gate));
}

std::string trial_data_dir(const Home& home, const std::string& run_id) {
  return home.run(run_id) + "/data@trial";  // no stage can have this name
}

Result<std::optional<pipeline::Pipeline>> pipeline_at(const trigger::Repository& repository,
                                                      const std::string& commit, const std::string& name) {
  PAWL_ASSIGN(auto text, pipeline_text_at(repository, commit));
  if (!text) return std::optional<pipeline::Pipeline>();
  auto parsed = pipeline::parse_pipeline(*text, name + ":.pawl.yml");
  if (!parsed.pipeline) return pipeline_error(parsed);
  return std::move(parsed.pipeline);
}

trigger::DataSpec data_spec(const pipeline::Dataset& dataset,
                            const std::map<std::string, std::string>& overrides,
                            const std::string& checkout) {
  auto it = overrides.find(dataset.name);
  return {join_path(checkout, it != overrides.end() ? it->second : dataset.path), dataset.include,
          dataset.exclude};
}

Result<Prepared> prepare_run(const Home& home, const store::Run& run, const RunSource& source,
                             Sync<trigger::StatCache>& cache) {
  std::string checkout = home.source(run.id);
  PAWL_RETURN_IF_ERROR(remove_tree(checkout));  // of an earlier try
  PAWL_RETURN_IF_ERROR(make_dirs(home.run(run.id)));
  trigger::Repository repository(source.repository);
  PAWL_RETURN_IF_ERROR(repository.checkout(run.commit_sha, checkout));

  Prepared out;
  PAWL_ASSIGN(out.pipeline, read_pipeline(checkout));
  if (is_trial(run)) {  // it measures, whatever the gate can say
    PAWL_RETURN_IF_ERROR(take_target_gate(repository, run, out));
    out.pipeline.gate.early.reset();  // a bad commit is to be measured to its end
  } else {
    PAWL_ASSIGN(Db db, store::open_record_for_reading(home.database()));
    PAWL_RETURN_IF_ERROR(check_target(db, repository, run, out.pipeline.gate));
    PAWL_RETURN_IF_ERROR(take_target_gate(repository, run, out));
    PAWL_RETURN_IF_ERROR(look_at_the_past(db, repository, run, out));
  }
  for (const pipeline::Dataset& dataset : out.pipeline.data) {
    trigger::DataSpec spec = data_spec(dataset, source.data, checkout);
    const auto wanted = source.versions.find(dataset.name);
    if (wanted != source.versions.end()) {
      PAWL_ASSIGN(spec.root, place_version(home, run, {run.project, dataset.name, wanted->second, {spec}}));
    }
    auto version = trigger::scan_data(spec, *cache.lock());
    if (!version.ok()) return std::move(version).error().wrap(fmt::format("dataset '{}'", dataset.name));
    if (wanted != source.versions.end() && version->digest != wanted->second) {
      return Error(
          ErrorCode::unavailable,
          fmt::format("dataset '{}' changed meanwhile, or the commit takes other files of it", dataset.name));
    }
    if (dataset.keep_copy) {
      auto kept = keep_version(store::Cas(home.cas()), spec.root, *version);
      if (!kept.ok()) return std::move(kept).error().wrap(fmt::format("dataset '{}'", dataset.name));
    }
    out.data.push_back({dataset.name, spec.root, std::move(version).value()});
  }
  PAWL_ASSIGN(out.refusal, refuse_shared_examples(out));
  return out;
}

}  // namespace pawl::core
