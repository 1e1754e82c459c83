// A waiver lets one named check be red for a while, on record: who approved it, why, until when. It makes no
// check pass that was not made: what is missing, broken or not comparable stays red.
//
// Pure functions of any thread; the time is handed in.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace pawl::gate {

struct Reason;

// Of the waivers' scope only what a reason knows: project, branch and commit were looked at by whoever read
// the record.
struct Waiver {
  std::int64_t id = 0;
  std::string subject;  // the metric; the rule of a finding
  std::string slice;    // "lang=de"; empty: the whole, and no slice
  // "floor", "ceiling", "max_drop", "paired", "seeds", "sustained", "finding"; empty: each but "finding".
  std::string check;
  std::string approver;
  std::string reason;
  std::int64_t expires_unix_ms = 0;  // the first moment at which it does not hold
  std::optional<std::int64_t> revoked_unix_ms;

  bool valid(std::int64_t now_unix_ms) const { return !revoked_unix_ms && now_unix_ms < expires_unix_ms; }
  bool operator==(const Waiver&) const = default;
};

// A red reason (fail or inconclusive, of a bound, a drop, a paired test or a finding) that a valid waiver
// covers becomes `waived` and says so; one that only an expired or revoked waiver covers stays red and says
// that. Both carry the id of the waiver. Of several waivers the first in order counts. That a finding is a
// rule that fired, and not a required rule that could not be evaluated, is the caller's to know: only the
// first kind may be handed in.
void apply_waivers(std::span<Reason> reasons, std::span<const Waiver> waivers, std::int64_t now_unix_ms);

}  // namespace pawl::gate
