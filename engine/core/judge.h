// The end of a run: the gate compares it with the baseline, the report is written. Blocks (reads the record
// through a connection of its own, and files); runs on the worker pool. What it decides is recorded by the
// run's driver.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/core/find_baseline.h"
#include "engine/core/home.h"
#include "engine/gate/test_ledger.h"
#include "engine/gate/verdict.h"
#include "engine/schedule/dag.h"
#include "engine/store/evaluations.h"
#include "engine/store/runs.h"
#include "engine/store/verdicts.h"
#include "pipelines/plan.h"

namespace pawl::core {

struct Judgement {
  store::Verdict verdict;
  int exit_code = 3;
  // The cause when the run becomes the baseline of its target branch: "green" or "bootstrap"; empty when not.
  std::string baseline_cause;
  Placement placement;                         // of the run that becomes a baseline
  std::string testsets = "{}";                 // of the same, as store::Baseline has it
  std::vector<gate::NewTestUse> test_uses;     // to be recorded in the verdict's transaction
  std::vector<store::Evaluation> evaluations;  // the same
  // Not empty: this stage has to score the baseline's model first (rescoring.h), then the run is judged
  // again.
  std::string rescore;
};

// Lists of examples to label are written beside the report. `repository` is a local one that has the run's
// commit, `cas` has or finds the files that runs left. A gate that cannot be evaluated is an ERROR, never a
// pass.
Judgement judge_run(const Home& home, const store::Cas& cas, const std::string& repository,
                    const store::Run& run, const pipeline::Plan& plan,
                    const std::vector<schedule::StageNode>& stages, int64_t now_ms);

// Of a run that was refused before anything was started.
Judgement refused(const store::Run& run, const gate::Verdict& verdict, int64_t now_ms);

// The placement anew, when another green run was recorded since.
Result<Placement> place_again(const Home& home, const std::string& repository, const store::Run& run);

// Writes report/{report.html,summary.md,junit.xml} of a run that is about to finish with `verdict`.
Result<void> write_reports(const Home& home, const store::Run& run, const store::Verdict& verdict);

}  // namespace pawl::core
