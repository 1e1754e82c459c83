// A verdict as JSON: what the record keeps and `--json` and the API show.
//
//   {"kind": "FAIL", "headline": "...", "exit_code": 1,
//    "baseline": {"run": "01HX...", "number": 1, "commit": "3f2a...", "branch": "main", "finished_ms": 0,
//                 "note": "pinned"} or null,
//    "reasons": [{"check": "paired", "status": "fail", "subject": "accuracy", "sentence": "...", and where the
//                 check has them: "slice", "test", "value", "baseline", "limit", "n", "b", "c", "ci_low",
//                 "ci_high", "level", "p_value", "p_margin", "p_adjusted", "waiver"}, ...]}
#pragma once

#include <string_view>

#include "engine/base/json.h"
#include "engine/gate/verdict.h"

namespace pawl::gate {

Json to_json(const Verdict& verdict);

// For what to_json wrote, perhaps by an older version: keys that are not known are skipped, an unknown kind,
// check or status is an error.
Result<Verdict> verdict_from_json(std::string_view text);

}  // namespace pawl::gate
