#include "engine/core/pin.h"

#include <fmt/format.h>

#include "engine/base/text.h"
#include "engine/store/results.h"
#include "engine/store/runs.h"

namespace pawl::core {
namespace {

Result<void> check_pin(Db& db, const store::Run& run, const Pin& pin) {
  if (trim(pin.why).empty())
    return Error(ErrorCode::invalid, "say why: the reason (--why, or `why` in the API) goes on record");
  if (!run.finished()) return Error(ErrorCode::conflict, fmt::format("run {} has not finished", run.number));
  PAWL_ASSIGN(auto metrics, store::metrics_of(db, run.id));
  if (metrics.empty())
    return Error(ErrorCode::conflict, fmt::format("run {} has no metrics to compare with", run.number));
  if (run.verdict != "PASS" && !pin.red) {
    return Error(
        ErrorCode::conflict,
        fmt::format("run {} is {}, not PASS: --red (`\"red\": true` in the API) makes it the baseline "
                    "all the same",
                    run.number, run.verdict.value_or("without a verdict")));
  }
  return {};
}

}  // namespace

Result<store::Baseline> pin_baseline(Db& db, const Pin& pin, int64_t now_unix_ms) {
  PAWL_ASSIGN(auto run, store::find_run(db, pin.run_id));
  if (!run) return Error(ErrorCode::not_found, fmt::format("there is no run '{}'", pin.run_id));
  PAWL_RETURN_IF_ERROR(check_pin(db, *run, pin));
  store::Baseline baseline{0, run->project, run->target, run->id, "pin", pin.who, pin.why, now_unix_ms};
  PAWL_RETURN_IF_ERROR(store::insert_baseline(db, baseline));
  baseline.id = db.last_insert_rowid();
  return baseline;
}

}  // namespace pawl::core
