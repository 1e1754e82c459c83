// Waivers of the gate. Append-only: a waiver ends by its expiry or by a revocation, which is written once.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/sqlite.h"

namespace pawl::store {

struct Waiver {
  int64_t id = 0;
  std::string project;
  std::string branch;      // empty: any
  std::string commit_sha;  // a prefix of at least 7 digits; empty: any
  std::string subject;     // the metric; the rule when `check` is "finding"
  std::string slice;       // empty: the whole
  std::string check;  // floor, ceiling, max_drop, paired, seeds, sustained, finding; empty: any of a metric
  std::string reason;
  std::string approver;
  int64_t created_ms = 0;
  int64_t expires_ms = 0;
  std::optional<int64_t> revoked_ms;
  std::string revoked_by;
  std::string revoked_why;
};

// The id is given by the record and returned.
Result<int64_t> insert_waiver(Db& db, const Waiver& waiver);
// A revocation that was made elsewhere. Of several the earliest holds, whoever merges what.
Result<void> merge_revocation(Db& db, int64_t id, std::string_view who, std::string_view why, int64_t at_ms);
// False: there is none of this id, or it is revoked already.
Result<bool> revoke_waiver(Db& db, int64_t id, std::string_view who, std::string_view why, int64_t now_ms);

Result<std::optional<Waiver>> find_waiver(Db& db, int64_t id);
Result<std::vector<Waiver>> waivers_of(Db& db, std::string_view project);  // newest first; empty: all
// Those whose scope has the commit of the branch, newest first, whether or not they still hold.
Result<std::vector<Waiver>> waivers_for(Db& db, std::string_view project, std::string_view branch,
                                        std::string_view commit_sha);

}  // namespace pawl::store
