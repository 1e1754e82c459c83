#include "engine/core/waive.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>

#include "engine/base/clock.h"
#include "engine/base/text.h"
#include "engine/gate/verdict.h"
#include "engine/rules/table.h"
#include "pipelines/plan.h"

namespace pawl::core {
namespace {

constexpr int64_t kDayMs = int64_t{24} * 3600 * 1000;
constexpr std::size_t kMinCommitDigits = 7;
constexpr std::size_t kMaxText = 500;
constexpr std::array<std::string_view, 6> kChecks = {"floor",  "ceiling", "max_drop",
                                                     "paired", "seeds",   "sustained"};
constexpr std::array<std::string_view, 3> kSliceChecks = {"floor", "max_drop", "paired"};

Error invalid(std::string message) {
  return Error(ErrorCode::invalid, std::move(message));
}

template <class... Args>
Result<std::vector<std::string>> names(Db& db, std::string_view sql, const Args&... args) {
  PAWL_ASSIGN(Stmt row, db.prepare(sql));
  row.bind_all(args...);
  std::vector<std::string> out;
  while (true) {
    PAWL_ASSIGN(bool more, row.step());
    if (!more) return out;
    out.push_back(row.string(0));
  }
}

Error unknown(std::string_view what, const std::string& name, const std::vector<std::string>& known) {
  const std::string near = did_you_mean(name, known);
  return Error(
      ErrorCode::not_found,
      fmt::format("{} '{}'{}", what, name, near.empty() ? "" : fmt::format("; did you mean '{}'?", near)));
}

template <class Names>
bool is_known(const std::string& name, const Names& known) {
  return std::find(known.begin(), known.end(), name) != known.end();
}

Result<std::string> project_of(Db& db, const NewWaiver& asked) {
  PAWL_ASSIGN(auto known, names(db, "SELECT DISTINCT project FROM runs ORDER BY project"));
  if (!asked.project.empty()) {
    if (is_known(asked.project, known)) return asked.project;
    return unknown("there is no run of a project", asked.project, known);
  }
  if (known.size() == 1) return known.front();
  if (known.empty()) return Error(ErrorCode::not_found, "there is no run yet that a waiver could be for");
  return invalid(
      fmt::format("for which project (--project, or `project` in the API)? There are {}", join(known, ", ")));
}

// "lang=de", or how the gate of one of the last runs names a slice: any other would waive nothing.
Result<void> check_slice(Db& db, const NewWaiver& asked, const std::string& project) {
  const std::size_t equals = asked.slice.find('=');
  const bool of_column = equals != std::string::npos && equals > 0 && equals + 1 < asked.slice.size();
  if (asked.slice.empty() || of_column) return {};
  PAWL_ASSIGN(
      auto plans,
      names(db, "SELECT plan FROM runs WHERE project=? AND plan<>'' ORDER BY id DESC LIMIT 100", project));
  std::set<std::string> known;
  for (const std::string& text : plans) {
    const auto plan = pipeline::plan_from_json(text);
    if (!plan.ok()) continue;
    for (const gate::MetricRule& rule : plan->gate.metrics) {
      if (rule.metric != asked.metric) continue;
      for (const gate::SliceRule& slices : rule.slices)
        known.insert(slices.by.empty() ? slices.name : slices.by + "=...");
    }
  }
  if (known.contains(asked.slice)) return {};
  const std::vector<std::string> listed(known.begin(), known.end());
  return invalid(fmt::format("'{}' is no slice of {}: write column=value (lang=de) or the name of a slice{}",
                             asked.slice, asked.metric,
                             listed.empty() ? "" : "; the gate has " + join(listed, ", ")));
}

// A name that no run ever reported is a typing mistake, and would waive nothing.
Result<void> check_metric(Db& db, const NewWaiver& asked, const std::string& project) {
  PAWL_ASSIGN(auto known, names(db,
                                "SELECT DISTINCT name FROM metrics JOIN runs ON runs.id=metrics.run_id"
                                " WHERE project=? ORDER BY name",
                                project));
  if (!is_known(asked.metric, known))
    return unknown(fmt::format("no run of {} reported a metric", project), asked.metric, known);
  PAWL_RETURN_IF_ERROR(check_slice(db, asked, project));
  if (asked.check.empty()) return {};
  if (!is_known(asked.check, kChecks))
    return invalid(
        fmt::format("'{}' cannot be waived: a check is floor, ceiling, max_drop, paired, seeds or sustained",
                    asked.check));
  if (!asked.slice.empty() && !is_known(asked.check, kSliceChecks)) {
    return invalid(
        fmt::format("a slice has no '{}': its checks are floor, max_drop and paired", asked.check));
  }
  return {};
}

Result<void> check_rule(const NewWaiver& asked) {
  if (!asked.check.empty() || !asked.slice.empty())
    return invalid("a rule has no check and no slice: they belong to a metric");
  if (asked.rule == rules::gate_rule().name) {
    return invalid(fmt::format(
        "'{}' cannot be waived: a training that it stopped left nothing to judge, so it would stay red; let "
        "`gate.early` on the target branch allow more, or switch it off there",
        asked.rule));
  }
  if (rules::find_rule(asked.rule) != nullptr) return {};
  std::vector<std::string> known;
  for (const rules::RuleDef& rule : rules::rule_table()) known.emplace_back(rule.name);
  return unknown("there is no rule", asked.rule, known);
}

Result<void> check_commit(const std::string& commit) {
  if (commit.empty()) return {};
  const bool digits = commit.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (digits && commit.size() >= kMinCommitDigits && commit.size() <= 64) return {};
  return invalid(fmt::format("'{}' is no commit: write at least {} of its hexadecimal digits", commit,
                             kMinCommitDigits));
}

Result<int64_t> lifetime_ms(const std::string& text) {
  if (text.empty()) {
    return invalid(
        fmt::format("say when it expires, at most {}d from now (--expires 14d, or `expires` in the API)",
                    kMaxWaiverDays));
  }
  const auto ms = parse_duration_ms(text);
  if (ms.ok() && *ms > 0 && *ms <= kMaxWaiverDays * kDayMs) return *ms;
  return invalid(
      fmt::format("'{}' is no lifetime of a waiver: write 12h or 14d, at most {}d", text, kMaxWaiverDays));
}

// It becomes a part of the sentence that people read.
Result<std::string> line(const std::string& text, std::string_view what) {
  std::string out = to_valid_utf8(trim(text));
  const bool control =
      std::any_of(out.begin(), out.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; });
  if (!out.empty() && out.size() <= kMaxText && !control) return out;
  return invalid(fmt::format("say {}, in one line of at most {} characters", what, kMaxText));
}

constexpr std::string_view kSayWhy = "why: the reason (--why, or `why` in the API) goes on record";
constexpr std::string_view kSayWho = "who approves it (--by, or `who` in the API)";

}  // namespace

std::span<const std::string_view> waivable_checks() {
  return kChecks;
}

Result<store::Waiver> add_waiver(Db& db, const NewWaiver& asked, int64_t now_unix_ms) {
  if (asked.metric.empty() == asked.rule.empty())
    return invalid(
        "name what is waived: a metric or a rule (--metric or --rule, `metric` or `rule` in the API)");
  store::Waiver waiver;
  PAWL_ASSIGN(waiver.reason, line(asked.why, kSayWhy));
  PAWL_ASSIGN(waiver.approver, line(asked.who, kSayWho));
  PAWL_ASSIGN(int64_t lifetime, lifetime_ms(asked.expires));
  PAWL_ASSIGN(waiver.project, project_of(db, asked));
  const bool of_rule = !asked.rule.empty();
  PAWL_RETURN_IF_ERROR(of_rule ? check_rule(asked) : check_metric(db, asked, waiver.project));
  waiver.branch = asked.branch;
  waiver.commit_sha = to_lower(asked.commit);
  PAWL_RETURN_IF_ERROR(check_commit(waiver.commit_sha));
  waiver.subject = of_rule ? asked.rule : asked.metric;
  waiver.slice = asked.slice;
  waiver.check = of_rule ? std::string(gate::to_string(gate::Check::finding)) : asked.check;
  waiver.created_ms = now_unix_ms;
  waiver.expires_ms = now_unix_ms + lifetime;
  PAWL_ASSIGN(waiver.id, store::insert_waiver(db, waiver));
  return waiver;
}

Result<store::Waiver> revoke_waiver(Db& db, int64_t id, const std::string& who, const std::string& why,
                                    int64_t now_unix_ms) {
  PAWL_ASSIGN(std::string reason, line(why, kSayWhy));
  PAWL_ASSIGN(std::string name, line(who, kSayWho));
  PAWL_ASSIGN(bool revoked, store::revoke_waiver(db, id, name, reason, now_unix_ms));
  PAWL_ASSIGN(auto waiver, store::find_waiver(db, id));
  if (!waiver)
    return Error(ErrorCode::not_found, fmt::format("there is no waiver {}: see `pawl waiver list`", id));
  if (!revoked) {
    return Error(ErrorCode::conflict, fmt::format("waiver {} was revoked on {} by {}", id,
                                                  format_utc(*waiver->revoked_ms), waiver->revoked_by));
  }
  return *waiver;
}

Result<std::vector<gate::Waiver>> waivers_for(Db& db, const store::Run& run) {
  PAWL_ASSIGN(auto rows, store::waivers_for(db, run.project, run.branch, run.commit_sha));
  std::vector<gate::Waiver> out;
  for (store::Waiver& w : rows) {
    out.push_back({w.id, std::move(w.subject), std::move(w.slice), std::move(w.check), std::move(w.approver),
                   std::move(w.reason), w.expires_ms, w.revoked_ms});
  }
  return out;
}

std::string_view waiver_state(const store::Waiver& waiver, int64_t now_unix_ms) {
  if (waiver.revoked_ms) return "revoked";
  return now_unix_ms < waiver.expires_ms ? "valid" : "expired";
}

Json waiver_json(const store::Waiver& w, int64_t now_unix_ms) {
  const bool of_rule = w.check == gate::to_string(gate::Check::finding);
  Json out = {{"id", w.id},
              {"state", waiver_state(w, now_unix_ms)},
              {"project", w.project},
              {"branch", w.branch},
              {"commit", w.commit_sha},
              {of_rule ? "rule" : "metric", w.subject},
              {"why", w.reason},
              {"by", w.approver},
              {"created", format_utc(w.created_ms)},
              {"expires", format_utc(w.expires_ms)}};
  if (!of_rule) {
    out["check"] = w.check;
    out["slice"] = w.slice;
  }
  if (w.revoked_ms) {
    out["revoked"] = format_utc(*w.revoked_ms);
    out["revoked_by"] = w.revoked_by;
    out["revoked_why"] = w.revoked_why;
  }
  return out;
}

Result<Json> waivers_json(Db& db, std::string_view project, bool all, int64_t now_unix_ms) {
  PAWL_ASSIGN(auto rows, store::waivers_of(db, project));
  Json list = Json::array();
  for (const store::Waiver& waiver : rows) {
    if (all || waiver_state(waiver, now_unix_ms) == "valid") list.push_back(waiver_json(waiver, now_unix_ms));
  }
  return Json{{"waivers", std::move(list)}};
}

}  // namespace pawl::core
