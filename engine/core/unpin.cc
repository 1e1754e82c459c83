#include "engine/core/unpin.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "engine/base/text.h"

namespace pawl::core {

Result<store::Baseline> unpin_baseline(Db& db, const Unpin& unpin, int64_t now_ms) {
  if (trim(unpin.why).empty()) return Error(ErrorCode::invalid, "say why: the reason goes on record");
  PAWL_ASSIGN(auto pins, store::current_baselines(db, unpin.project));
  std::erase_if(pins, [&](const store::Baseline& baseline) {
    return !baseline.is_pin() || (!unpin.branch.empty() && baseline.branch != unpin.branch);
  });
  if (pins.empty()) return Error(ErrorCode::not_found, "no baseline is pinned there");
  if (pins.size() > 1) {
    std::vector<std::string> names;
    for (const store::Baseline& pin : pins) names.push_back(fmt::format("{} of {}", pin.branch, pin.project));
    return Error(
        ErrorCode::invalid,
        fmt::format("several baselines are pinned, name the project and the branch: {}", join(names, ", ")));
  }
  store::Baseline event = pins[0];
  event.cause = "unpin";
  event.who = unpin.who;
  event.why = unpin.why;
  event.created_ms = now_ms;
  PAWL_RETURN_IF_ERROR(store::insert_baseline(db, event));
  event.id = db.last_insert_rowid();
  return event;
}

}  // namespace pawl::core
