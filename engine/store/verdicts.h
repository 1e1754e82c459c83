// Verdicts and baselines. Both are append-only: a verdict is written once, what happened to the baseline of a
// branch is a list of events.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/sqlite.h"

namespace pawl::store {

struct VerdictReason {
  std::string metric;
  std::string rule;
  std::string status;
  std::string sentence;
};

struct Verdict {
  std::string run_id;
  std::string kind;
  std::string headline;
  std::optional<std::string> baseline_run;
  std::string body;  // JSON
  std::vector<VerdictReason> reasons;
  int64_t created_ms = 0;
};

// A run became a baseline (green, bootstrap), was pinned, or unpinned.
struct Baseline {
  int64_t id = 0;
  std::string project;
  std::string branch;
  std::string run_id;
  std::string cause;  // green, bootstrap, pin, unpin
  std::string who;
  std::string why;
  int64_t created_ms = 0;
  // Of a green run that finished late: the run of a later commit that was the baseline by then, and stayed
  // it.
  std::optional<std::string> newer_run = std::nullopt;
  std::string testsets = "{}";  // JSON object: digest of the test set by the predictions file
  // Its place among the events of the branch, wherever they were made; 0 to insert it after all that are
  // here.
  int64_t position = 0;

  // Of its run; reading fills them, inserting does not look at them.
  int64_t run_number = 0;
  std::string commit = "";
  std::string verdict = "";

  bool is_pin() const { return cause == "pin"; }
};

Result<void> insert_verdict(Db& db, const Verdict& verdict);
Result<std::optional<Verdict>> verdict_of(Db& db, std::string_view run_id);

Result<void> insert_baseline(Db& db, const Baseline& baseline);
// The pinned one, else the green one of the latest commit.
Result<std::optional<Baseline>> current_baseline(Db& db, std::string_view project, std::string_view branch);
// The current ones of all branches; of one project, or of all (empty).
Result<std::vector<Baseline>> current_baselines(Db& db, std::string_view project);
// The pin that nobody has taken back.
Result<std::optional<Baseline>> pinned_baseline(Db& db, std::string_view project, std::string_view branch);
// The current one as if nothing were pinned.
Result<std::optional<Baseline>> latest_green(Db& db, std::string_view project, std::string_view branch);
// Every event of the branch, in the order that is the same wherever the same events are on record: no event
// before one that its author could know.
Result<std::vector<Baseline>> baseline_events(Db& db, std::string_view project, std::string_view branch);
Result<std::vector<Baseline>> baseline_history(Db& db, std::string_view project);  // newest first; empty: all
// What became of one run: the event that made it the baseline as it finished.
Result<std::optional<Baseline>> green_event_of(Db& db, std::string_view run_id);
// Pins and unpins of the project, oldest first.
Result<std::vector<Baseline>> pin_events(Db& db, std::string_view project);
// Whether the branch ever had a baseline, that is a green run whose metrics were gated: bootstrapping is over
// then. A run that passed with the gate off was not judged and does not count.
Result<bool> ever_green(Db& db, std::string_view project, std::string_view branch);

}  // namespace pawl::store
