#include "engine/gate/waivers.h"

#include <fmt/format.h>

#include "engine/base/clock.h"
#include "engine/gate/verdict.h"

namespace pawl::gate {
namespace {

// Not among them: what is missing or cannot be compared.
bool can_be_waived(const Reason& reason) {
  if (reason.status != Status::fail && reason.status != Status::inconclusive) return false;
  switch (reason.check) {
    case Check::finding:
    case Check::floor:
    case Check::ceiling:
    case Check::max_drop:
    case Check::paired:
    case Check::seeds:
    case Check::sustained:
      return true;
    default:
      return false;
  }
}

bool covers(const Waiver& waiver, const Reason& reason) {
  const bool same_check =
      waiver.check.empty() ? reason.check != Check::finding : waiver.check == to_string(reason.check);
  return same_check && waiver.subject == reason.subject && waiver.slice == reason.slice;
}

std::string day(std::int64_t unix_ms) {
  return format_utc(unix_ms).substr(0, 10);
}

std::string why_not(const Waiver& waiver) {
  return waiver.revoked_unix_ms
             ? fmt::format("waiver {} was revoked on {}", waiver.id, day(*waiver.revoked_unix_ms))
             : fmt::format("waiver {} expired on {}", waiver.id, day(waiver.expires_unix_ms));
}

void apply(Reason& reason, std::span<const Waiver> waivers, std::int64_t now_unix_ms) {
  const Waiver* ended = nullptr;
  for (const Waiver& waiver : waivers) {
    if (!covers(waiver, reason)) continue;
    if (waiver.valid(now_unix_ms)) {
      reason.status = Status::waived;
      reason.waiver = waiver.id;
      reason.sentence += fmt::format("; waived until {} by {} (waiver {}: {})", day(waiver.expires_unix_ms),
                                     waiver.approver, waiver.id, waiver.reason);
      return;
    }
    if (ended == nullptr) ended = &waiver;
  }
  if (ended == nullptr) return;
  reason.waiver = ended->id;
  reason.sentence += "; " + why_not(*ended);
}

}  // namespace

void apply_waivers(std::span<Reason> reasons, std::span<const Waiver> waivers, std::int64_t now_unix_ms) {
  for (Reason& reason : reasons) {
    if (can_be_waived(reason)) apply(reason, waivers, now_unix_ms);
  }
}

}  // namespace pawl::gate
