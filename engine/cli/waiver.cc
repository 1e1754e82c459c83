// pawl waiver add, list, revoke: with a daemon running, it writes; without one, the same rows are written
// here under the home's lock.

#include <fmt/format.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "engine/base/clock.h"
#include "engine/base/files.h"
#include "engine/cli/commands.h"
#include "engine/cli/daemon_client.h"
#include "engine/cli/output.h"
#include "engine/cli/record.h"
#include "engine/cli/user_name.h"
#include "engine/core/waive.h"
#include "engine/store/database.h"

namespace pawl::cli {
namespace {

// The waiver as JSON: from the daemon, or as `here` writes it.
Result<Json> write(const Global& global, const std::string& path, const Json& body,
                   const std::function<Result<store::Waiver>(Db&, int64_t now_ms)>& here) {
  // What a waiver is for is looked up in the record: without one there is nothing to waive.
  PAWL_ASSIGN(Record record, open_record(global.home));
  if (auto daemon = DaemonClient::connect(record.home); daemon.ok()) return daemon->post(path, body);
  PAWL_ASSIGN(FileLock lock, FileLock::try_acquire(record.home.lock()));
  PAWL_ASSIGN(Db db, store::open_record(record.home.database()));
  const int64_t now_ms = SystemClock().unix_ms();
  PAWL_ASSIGN(store::Waiver waiver, here(db, now_ms));
  return core::waiver_json(waiver, now_ms);
}

std::string subject_of(const Json& waiver) {
  if (waiver.contains("rule")) return "rule " + json_string(waiver, "rule");
  std::string out = json_string(waiver, "metric");
  if (const std::string slice = json_string(waiver, "slice"); !slice.empty()) out += " of " + slice;
  if (const std::string check = json_string(waiver, "check"); !check.empty()) out += ", " + check;
  return out;
}

std::string scope_of(const Json& waiver) {
  std::string out = json_string(waiver, "project");
  if (const std::string branch = json_string(waiver, "branch"); !branch.empty()) out += ", branch " + branch;
  if (const std::string commit = json_string(waiver, "commit"); !commit.empty())
    out += ", commit " + commit.substr(0, 12);
  return out;
}

Result<int> add(const Global& global, const WaiverAddOptions& options) {
  core::NewWaiver asked{options.project, options.branch, options.commit,
                        options.metric,  options.check,  options.slice,
                        options.rule,    options.why,    options.by.empty() ? user_name() : options.by,
                        options.expires};
  const Json body = {{"project", asked.project}, {"branch", asked.branch}, {"commit", asked.commit},
                     {"metric", asked.metric},   {"check", asked.check},   {"slice", asked.slice},
                     {"rule", asked.rule},       {"why", asked.why},       {"who", asked.who},
                     {"expires", asked.expires}};
  PAWL_ASSIGN(Json waiver, write(global, "/api/v1/waivers", body, [&](Db& db, int64_t now_ms) {
                return core::add_waiver(db, asked, now_ms);
              }));
  if (global.json) {
    print_json(waiver);
  } else {
    print(fmt::format("waiver {}: {} ({}) may be red until {}\n", json_int(waiver, "id"), subject_of(waiver),
                      scope_of(waiver), json_string(waiver, "expires")));
  }
  return 0;
}

Tone state_tone(std::string_view state) {
  return state == "valid" ? Tone::warn : Tone::dim;
}

Result<int> list(const Global& global, const WaiverListOptions& options) {
  PAWL_ASSIGN(Record record, open_record(global.home));
  PAWL_ASSIGN(Json waivers,
              core::waivers_json(record.db, options.project, options.all, SystemClock().unix_ms()));
  if (global.json) {
    print_json(waivers);
    return 0;
  }
  std::vector<std::vector<Cell>> rows;
  for (const Json& waiver : waivers["waivers"]) {
    const std::string state = json_string(waiver, "state");
    rows.push_back({{std::to_string(json_int(waiver, "id"))},
                    {state, state_tone(state)},
                    {subject_of(waiver)},
                    {scope_of(waiver)},
                    {json_string(waiver, "expires")},
                    {json_string(waiver, "by")},
                    {json_string(waiver, "why")}});
  }
  const std::string none =
      options.all ? "no waivers\n" : "no waiver holds: `pawl waiver list --all` has those that ended\n";
  print(rows.empty() ? none : render_table({"id", "state", "what", "for", "expires", "by", "why"}, rows));
  return 0;
}

Result<int> revoke(const Global& global, const WaiverRevokeOptions& options) {
  const std::string who = user_name();
  PAWL_ASSIGN(Json waiver, write(global, fmt::format("/api/v1/waivers/{}/revoke", options.id),
                                 {{"who", who}, {"why", options.why}}, [&](Db& db, int64_t now_ms) {
                                   return core::revoke_waiver(db, options.id, who, options.why, now_ms);
                                 }));
  if (global.json) {
    print_json(waiver);
  } else {
    print(fmt::format("waiver {} is revoked: {} is red again\n", options.id, subject_of(waiver)));
  }
  return 0;
}

int finish(Result<int> result) {
  return result.ok() ? *result : fail(result.error());
}

}  // namespace

int waiver_add(const Global& global, const WaiverAddOptions& options) {
  return finish(add(global, options));
}
int waiver_list(const Global& global, const WaiverListOptions& options) {
  return finish(list(global, options));
}
int waiver_revoke(const Global& global, const WaiverRevokeOptions& options) {
  return finish(revoke(global, options));
}

}  // namespace pawl::cli
