#include "engine/core/green_runs.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/base/log.h"
#include "engine/gate/baseline_choice.h"
#include "engine/store/results.h"
#include "engine/store/verdicts.h"
#include "engine/trigger/ancestry.h"
#include "pipelines/seeds.h"

namespace pawl::core {
namespace {

// A training that went back to an earlier step, or a stage with several trainings: the record has only the
// curve of the last, and another one would be compared with it.
Result<bool> trained_once(Db& db, const std::string& run_id, const std::string& stage) {
  PAWL_ASSIGN(auto attempts, store::attempts_of(db, run_id));
  PAWL_ASSIGN(auto summaries, store::trace_summaries_of(db, run_id));
  for (const store::TraceSummary& trace : summaries) {
    for (const store::Attempt& attempt : attempts) {
      const bool same = attempt.stage == stage && trace.stage == stage && attempt.number == trace.attempt;
      // One more: a step that only logged something after the last one is never complete.
      if (same && attempt.steps && *attempt.steps > trace.last_step - trace.first_step + 2) return false;
    }
  }
  return true;
}

Result<void> add_curves(Db& db, const pipeline::GreenRuns& runs, const std::string& stage,
                        std::vector<rules::CurvePoints>& curves, rules::GreenBand& band) {
  for (const std::string& id : runs.ids) {
    PAWL_ASSIGN(auto run, store::find_run(db, id));
    PAWL_ASSIGN(auto stages, store::stages_of(db, id));
    const size_t before = curves.size();
    for (const store::Stage& same : stages) {
      if (pipeline::without_seed(same.name) != pipeline::without_seed(stage)) continue;
      PAWL_ASSIGN(auto points, store::curve_of(db, id, same.name, band.curve));
      PAWL_ASSIGN(const bool once, trained_once(db, id, same.name));
      if (points && !points->empty() && once) curves.push_back(std::move(*points));
    }
    if (run && curves.size() > before)
      band.runs.push_back(fmt::format("{} ({})", run->number, run->commit_sha.substr(0, 7)));
  }
  return {};
}

}  // namespace

Result<pipeline::GreenRuns> last_green_runs(Db& db, const trigger::Repository& repository,
                                            const store::Run& run, int64_t count) {
  PAWL_ASSIGN(auto events, store::baseline_events(db, run.project, run.target));
  std::vector<gate::GreenRun> green;
  for (const store::Baseline& event : events) {
    if (event.is_pin()) green.clear();
    if (event.cause == "unpin" || event.verdict != "PASS") continue;
    green.push_back({.id = event.run_id, .number = event.run_number, .commit = event.commit});
  }
  pipeline::GreenRuns out;
  if (green.empty()) return out;
  trigger::AncestryQuery query{.commit = run.commit_sha, .heads = {}, .wanted = {}};
  if (run.branch != run.target) {
    if (auto head = trigger::shared_head_of_branch(repository, run.target)) query.heads = {*head};
  }
  for (const gate::GreenRun& candidate : green) query.wanted.insert(candidate.commit);
  query.enough = static_cast<std::size_t>(count);
  PAWL_ASSIGN(const trigger::Ancestry past, trigger::find_ancestors(repository, query));
  if (past.cut && past.found.size() < query.wanted.size()) {
    out.missing = "the history of this clone is cut: which green runs are the last cannot be told";
    return out;
  }
  std::vector<gate::PastCommit> commits;
  for (const trigger::Ancestor& ancestor : past.found)
    commits.push_back({ancestor.commit, ancestor.distance});
  const auto ordered = gate::in_commit_order(std::move(green), commits);
  const auto last = std::min(ordered.size(), static_cast<std::size_t>(count));
  std::for_each(ordered.rbegin(), ordered.rbegin() + static_cast<std::ptrdiff_t>(last),
                [&](const gate::GreenRun& found) { out.ids.push_back(found.id); });
  return out;
}

rules::GreenBand green_band(Db& db, const gate::EarlyRule& rule, const pipeline::GreenRuns& runs,
                            const std::string& stage) {
  rules::GreenBand band;
  band.curve = rule.curve;
  band.missing = runs.missing;
  if (!band.missing.empty()) return band;
  std::vector<rules::CurvePoints> curves;
  if (auto added = add_curves(db, runs, stage, curves, band); !added.ok()) {
    band.missing = "the record cannot be read: " + added.error().to_string();
    return band;
  }
  const rules::BandOptions options{rule.direction == gate::Direction::higher, rule.margin,
                                   rule.margin_relative, static_cast<uint64_t>(rule.from_step)};
  rules::fill_green_band(curves, options, band);
  return band;
}

}  // namespace pawl::core
