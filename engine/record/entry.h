// What travels between records (docs/record.md): a run as it finished, a pin or unpin, a waiver, its
// revocation. An entry is written once and never changed, and its name says which it is: merging records is
// the union of their entries, and an entry that came twice is the same one.
//
// The text of an entry is a line with the digest of what follows, then one JSON document:
//
//   pawl-record-1 sha256:<hex of the rest>
//   {"kind": "run", "id": "01HX...", ...}
//
// Numbers of runs and of waivers belong to one home and are left out. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "engine/base/error.h"
#include "engine/store/data.h"
#include "engine/store/evaluations.h"
#include "engine/store/results.h"
#include "engine/store/runs.h"
#include "engine/store/test_budgets.h"
#include "engine/store/verdicts.h"
#include "engine/store/waivers.h"

namespace pawl::record {

inline constexpr std::size_t kMaxEntryBytes = 16u << 20;

// With everything that the transactions of the run wrote, so that it is on record whole or not at all.
struct RunEntry {
  store::Run run;  // finished; origin says where it was made
  std::vector<store::RunData> data;
  std::vector<store::Stage> stages;
  std::vector<store::Attempt> attempts;
  std::vector<store::Metric> metrics;
  std::vector<store::Artifact> artifacts;  // the files themselves travel beside the entries
  std::vector<store::Finding> findings;
  std::vector<store::TraceSummary> traces;
  std::vector<store::Curve> curves;
  std::vector<store::Evaluation> evaluations;
  std::optional<store::Verdict> verdict;
  std::optional<store::Baseline> green;  // the event that made it a baseline as it finished
  std::vector<std::pair<store::TestBudget, store::TestUse>> uses;
};

struct PinEntry {
  store::Baseline event;  // pin or unpin
};

struct WaiverEntry {
  store::Waiver waiver;  // without its revocation
};

struct RevocationEntry {
  std::string project;
  std::string waiver;  // name of its entry
  std::string who;
  std::string why;
  int64_t at_ms = 0;
};

using Entry = std::variant<RunEntry, PinEntry, WaiverEntry, RevocationEntry>;

enum class Kind { run, pin, waiver, revocation };
std::string_view to_string(Kind kind);

// "run-<ULID>"; "pin-", "waiver-", "revocation-" and 32 digits of the digest of what the entry says.
std::string name_of(const Entry& entry);
std::string name_of_run(std::string_view run_id);
// The kind, when the text is such a name.
std::optional<Kind> kind_of(std::string_view name);

const std::string& project_of(const Entry& entry);

// Letters, digits, '-', '_' and '.', as core::valid_project_name has it.
bool is_project(std::string_view name);

// What readers would refuse in texts for people (control characters, an endless line) is cut out.
std::string write_entry(const Entry& entry);

// For text from anywhere. Error invalid, with the place ("run-01HX...: attempts[2].stage"): another digest
// than the text has, another entry than the name says, a field that is missing or cannot be.
Result<Entry> read_entry(std::string_view name, std::string_view text);

}  // namespace pawl::record
