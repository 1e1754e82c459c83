// A run and what belongs to it as JSON: the one form that the API, `--json` and the live events use.
#pragma once

#include <string>

#include "engine/base/json.h"
#include "engine/base/sqlite.h"
#include "engine/store/results.h"
#include "engine/store/runs.h"
#include "engine/store/verdicts.h"

namespace pawl::core {

Json run_json(const store::Run& run);  // the row alone, without the plan
Json attempt_json(const store::Attempt& attempt);
Json metric_json(const store::Metric& metric);
Json finding_json(const store::Finding& finding);
Json artifact_json(const store::Artifact& artifact);
Json baseline_json(const store::Baseline& baseline);
Json baseline_event_json(const store::Baseline& baseline);    // with number, commit and verdict of its run
Json current_baseline_json(const store::Baseline& baseline);  // and whether it is pinned

// The run with data versions, stages, attempts, metrics, findings, artifacts and the whole verdict.
Result<Json> full_run_json(Db& db, const store::Run& run);

}  // namespace pawl::core
