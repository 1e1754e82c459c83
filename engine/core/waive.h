// Waivers given and taken back by a person: the daemon's API and `pawl waiver` without a daemon refuse the
// same.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/json.h"
#include "engine/base/sqlite.h"
#include "engine/gate/waivers.h"
#include "engine/store/runs.h"
#include "engine/store/waivers.h"

namespace pawl::core {

inline constexpr int64_t kMaxWaiverDays = 90;

struct NewWaiver {
  std::string project;  // empty: the only one in the record
  std::string branch;   // empty: any
  std::string commit;   // a prefix of at least 7 digits; empty: any
  std::string metric;   // this or `rule`
  std::string check;    // of the metric; empty: any
  std::string slice;    // of the metric; empty: the whole
  std::string rule;
  std::string why;
  std::string who;
  std::string expires;  // from now: "14d", at most kMaxWaiverDays
};

// What `check` may name.
std::span<const std::string_view> waivable_checks();

// Errors: invalid, with what to write instead; not_found (a project or metric of which no run is on record).
// Needs the writing connection, as the next.
Result<store::Waiver> add_waiver(Db& db, const NewWaiver& asked, int64_t now_unix_ms);
// Errors: invalid (no reason given), not_found, conflict (revoked already).
Result<store::Waiver> revoke_waiver(Db& db, int64_t id, const std::string& who, const std::string& why,
                                    int64_t now_unix_ms);

// In the order in which the gate is to look at them, those that ended too.
Result<std::vector<gate::Waiver>> waivers_for(Db& db, const store::Run& run);

// "valid", "expired" or "revoked".
std::string_view waiver_state(const store::Waiver& waiver, int64_t now_unix_ms);
Json waiver_json(const store::Waiver& waiver, int64_t now_unix_ms);
// {"waivers": [...]}, newest first; without `all` only those that hold.
Result<Json> waivers_json(Db& db, std::string_view project, bool all, int64_t now_unix_ms);

}  // namespace pawl::core
