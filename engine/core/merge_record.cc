#include "engine/core/merge_record.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "engine/base/text.h"
#include "engine/core/evidence.h"
#include "engine/core/find_baseline.h"
#include "engine/store/waivers.h"
#include "pipelines/plan.h"

namespace pawl::core {
namespace {

using record::Entry;
using record::Kind;
using record::PinEntry;
using record::RevocationEntry;
using record::RunEntry;
using record::WaiverEntry;

constexpr std::size_t kBatchBytes = 32u << 20;  // of entries that are held at once

Error missing(const std::string& name) {
  return Error(ErrorCode::not_found, fmt::format("there is no entry '{}'", to_valid_utf8(name, 80)));
}

Result<Entry> run_entry(Db& db, const std::string& project, const std::string& id,
                        const std::string& machine) {
  PAWL_ASSIGN(auto run, store::find_run(db, id));
  if (!run || !run->finished() || run->project != project) return missing(record::name_of_run(id));
  RunEntry out;
  out.run = std::move(*run);
  if (out.run.made_here()) out.run.origin = fmt::format("run {} on {}", out.run.number, machine);
  PAWL_ASSIGN(out.data, store::data_of(db, id));
  PAWL_ASSIGN(out.stages, store::stages_of(db, id));
  PAWL_ASSIGN(out.attempts, store::attempts_of(db, id));
  PAWL_ASSIGN(out.metrics, store::metrics_of(db, id));
  PAWL_ASSIGN(out.artifacts, store::artifacts_of(db, id));
  PAWL_ASSIGN(out.findings, store::findings_of(db, id));
  PAWL_ASSIGN(out.traces, store::trace_summaries_of(db, id));
  PAWL_ASSIGN(out.curves, store::curves_of(db, id));
  PAWL_ASSIGN(out.evaluations, store::evaluations_of(db, id));
  PAWL_ASSIGN(out.verdict, store::verdict_of(db, id));
  PAWL_ASSIGN(out.green, store::green_event_of(db, id));
  PAWL_ASSIGN(out.uses, store::test_uses_by(db, id));
  return Entry(std::move(out));
}

// All but the runs.
Result<std::vector<Entry>> events_of(Db& db, const std::string& project) {
  std::vector<Entry> out;
  PAWL_ASSIGN(auto pins, store::pin_events(db, project));
  for (store::Baseline& event : pins) out.emplace_back(PinEntry{std::move(event)});
  PAWL_ASSIGN(auto waivers, store::waivers_of(db, project));
  std::vector<Entry> revocations;
  for (store::Waiver& waiver : waivers) {
    Entry entry = WaiverEntry{waiver};
    if (waiver.revoked_ms) {
      revocations.emplace_back(RevocationEntry{project, record::name_of(entry), waiver.revoked_by,
                                               waiver.revoked_why, *waiver.revoked_ms});
    }
    out.push_back(std::move(entry));
  }
  std::move(revocations.begin(), revocations.end(), std::back_inserter(out));
  return out;
}

// Puts entries into the record, one at a time, within somebody else's transaction.
class Importer {
 public:
  Importer(Db& db, const std::string& project, const trigger::Repository* repository)
      : db_(db), project_(project), repository_(repository) {}

  Result<void> begin() {
    PAWL_ASSIGN(auto names, entry_names(db_, project_));
    known_.insert(names.begin(), names.end());
    PAWL_ASSIGN(auto waivers, store::waivers_of(db_, project_));
    for (const store::Waiver& waiver : waivers) waivers_[record::name_of(WaiverEntry{waiver})] = waiver.id;
    return {};
  }

  Result<void> add(const Entry& entry) {
    const std::string name = record::name_of(entry);
    if (record::project_of(entry) != project_)
      return Error(ErrorCode::invalid, fmt::format("is of another project than {}", project_), name);
    if (!known_.insert(name).second) return {};
    auto added = std::visit([&](const auto& e) { return add_new(e, name); }, entry);
    if (added.ok()) return {};
    return Error(added.error().code(), added.error().message(), name);
  }

  std::vector<std::string> new_runs;

 private:
  Result<void> add_new(const RunEntry& entry, const std::string&) {
    PAWL_ASSIGN(auto there, store::find_run(db_, entry.run.id));
    if (there) return Error(ErrorCode::invalid, "is known here as an unfinished run, or of another project");
    if (auto number = store::insert_finished_run(db_, entry.run); !number.ok())
      return std::move(number).error();
    PAWL_RETURN_IF_ERROR(add_stages(entry));
    PAWL_RETURN_IF_ERROR(add_outputs(entry));
    if (entry.verdict) PAWL_RETURN_IF_ERROR(store::insert_verdict(db_, *entry.verdict));
    if (entry.green) PAWL_RETURN_IF_ERROR(add_green(entry));
    for (const auto& [budget, use] : entry.uses)
      PAWL_RETURN_IF_ERROR(store::merge_test_use(db_, budget, use));
    new_runs.push_back(entry.run.id);
    return {};
  }

  Result<void> add_stages(const RunEntry& entry) {
    for (const auto& data : entry.data) PAWL_RETURN_IF_ERROR(store::put_run_data(db_, data));
    for (const auto& stage : entry.stages) PAWL_RETURN_IF_ERROR(store::insert_stage(db_, stage));
    std::map<std::pair<std::string, int64_t>, std::vector<store::Finding>> findings;
    for (const auto& finding : entry.findings) findings[{finding.stage, finding.attempt}].push_back(finding);
    for (const auto& attempt : entry.attempts) {
      PAWL_RETURN_IF_ERROR(store::insert_attempt(db_, attempt));
      PAWL_RETURN_IF_ERROR(store::update_attempt(db_, attempt));
    }
    for (const auto& [attempt, list] : findings)
      PAWL_RETURN_IF_ERROR(store::put_findings(db_, entry.run.id, attempt.first, attempt.second, list));
    for (const auto& trace : entry.traces) PAWL_RETURN_IF_ERROR(store::put_trace_summary(db_, trace));
    return {};
  }

  Result<void> add_outputs(const RunEntry& entry) {
    for (const auto& metric : entry.metrics) PAWL_RETURN_IF_ERROR(store::put_metric(db_, metric));
    for (const auto& artifact : entry.artifacts) PAWL_RETURN_IF_ERROR(store::put_artifact(db_, artifact));
    for (const auto& curve : entry.curves) PAWL_RETURN_IF_ERROR(store::put_curve(db_, curve));
    for (const auto& evaluation : entry.evaluations)
      PAWL_RETURN_IF_ERROR(store::insert_evaluation(db_, evaluation));
    return {};
  }

  Result<void> add_green(const RunEntry& entry) {
    store::Baseline green = *entry.green;
    if (repository_ != nullptr) {
      PAWL_ASSIGN(Placement placed, place_green_run(db_, *repository_, entry.run));
      green.newer_run = placed.newer_run;
    }
    return store::insert_baseline(db_, green);
  }

  Result<void> add_new(const PinEntry& entry, const std::string&) {
    PAWL_ASSIGN(auto run, store::find_run(db_, entry.event.run_id));
    if (!run || run->project != project_) {
      return Error(ErrorCode::invalid,
                   fmt::format("names run {}, which is not on record there", entry.event.run_id));
    }
    return store::insert_baseline(db_, entry.event);
  }

  Result<void> add_new(const WaiverEntry& entry, const std::string& name) {
    PAWL_ASSIGN(waivers_[name], store::insert_waiver(db_, entry.waiver));
    return {};
  }

  Result<void> add_new(const RevocationEntry& entry, const std::string&) {
    const auto waiver = waivers_.find(entry.waiver);
    if (waiver == waivers_.end())
      return Error(ErrorCode::invalid, fmt::format("is of {}, which is not on record there", entry.waiver));
    return store::merge_revocation(db_, waiver->second, entry.who, entry.why, entry.at_ms);
  }

  Db& db_;
  const std::string& project_;
  const trigger::Repository* repository_;
  std::set<std::string> known_;
  std::map<std::string, int64_t> waivers_;  // id here by the name of the entry
};

// What is referred to before what refers to it, green runs in the order in which they became it.
bool comes_before(const Entry* a, const Entry* b) {
  const auto key = [](const Entry* entry) {
    const auto* run = std::get_if<RunEntry>(entry);
    const int64_t position = run != nullptr && run->green ? run->green->position : 0;
    return std::tuple(entry->index(), position, run != nullptr ? run->run.id : std::string());
  };
  return key(a) < key(b);
}

// Code 3 on the command line: what is wrong there is no mistake in how we were called.
Error unusable(const record::RecordStore& store, const Error& error) {
  return Error(error.code() == ErrorCode::timeout ? ErrorCode::timeout : ErrorCode::unavailable,
               error.to_string(), store.name());
}

}  // namespace

Result<std::vector<std::string>> entry_names(Db& db, const std::string& project) {
  PAWL_ASSIGN(auto runs, store::finished_run_ids(db, project));
  std::vector<std::string> out;
  for (const std::string& id : runs) out.push_back(record::name_of_run(id));
  PAWL_ASSIGN(auto events, events_of(db, project));
  for (const Entry& entry : events) out.push_back(record::name_of(entry));
  return out;
}

Result<Entry> make_entry(Db& db, const std::string& project, const std::string& name,
                         const std::string& machine) {
  if (record::kind_of(name) == Kind::run) return run_entry(db, project, name.substr(4), machine);
  PAWL_ASSIGN(auto events, events_of(db, project));
  for (Entry& entry : events) {
    if (record::name_of(entry) == name) return std::move(entry);
  }
  return missing(name);
}

std::string machine_name() {
  std::array<char, 256> name{};
  const bool known = gethostname(name.data(), name.size() - 1) == 0 && name[0] != '\0';
  return known ? to_valid_utf8(name.data()) : "another machine";
}

std::vector<record::NewFile> files_of(const store::Cas& cas, const RunEntry& run) {
  std::set<std::string> judged;
  if (auto plan = pipeline::plan_from_json(run.run.plan); plan.ok()) judged = judged_files(plan->gate);
  std::vector<record::NewFile> out;
  for (const store::Artifact& artifact : run.artifacts) {
    if (!cas.has(artifact.digest)) continue;
    auto path = cas.path_of(artifact.digest);
    if (!path.ok()) continue;
    out.push_back(
        {artifact.digest, *path, static_cast<uint64_t>(artifact.bytes), judged.contains(artifact.path)});
  }
  return out;
}

Result<std::vector<std::string>> import_entries(Db& db, const std::string& project,
                                                const std::vector<Entry>& entries,
                                                const trigger::Repository* repository) {
  std::vector<const Entry*> order;
  for (const Entry& entry : entries) order.push_back(&entry);
  std::stable_sort(order.begin(), order.end(), comes_before);
  PAWL_ASSIGN(Transaction transaction, Transaction::begin(db));
  Importer importer(db, project, repository);
  PAWL_RETURN_IF_ERROR(importer.begin());
  for (const Entry* entry : order) PAWL_RETURN_IF_ERROR(importer.add(*entry));
  PAWL_RETURN_IF_ERROR(transaction.commit());
  return std::move(importer.new_runs);
}

Result<Merged> pull_record(Db& db, record::RecordStore& from, const std::string& project,
                           const trigger::Repository* repository) {
  PAWL_ASSIGN(auto known, entry_names(db, project));
  const std::set<std::string> here(known.begin(), known.end());
  auto names = from.list(project);
  if (!names.ok()) return unusable(from, names.error());
  std::vector<Entry> entries;
  for (const std::string& name : *names) {
    if (here.contains(name)) continue;
    auto text = from.get(project, name);
    if (!text.ok()) return unusable(from, text.error());
    auto entry = record::read_entry(name, *text);
    if (!entry.ok()) return unusable(from, entry.error());
    entries.push_back(std::move(*entry));
  }
  auto imported = import_entries(db, project, entries, repository);
  if (!imported.ok()) return unusable(from, imported.error());
  return Merged{entries.size(), {}};
}

Result<Merged> push_record(Db& db, const store::Cas& cas, record::RecordStore& to, const std::string& project,
                           const std::string& machine) {
  auto there = to.list(project);
  if (!there.ok()) return unusable(to, there.error());
  const std::set<std::string> known(there->begin(), there->end());
  PAWL_ASSIGN(auto names, entry_names(db, project));
  Merged out;
  std::vector<record::NewEntry> entries;
  std::vector<record::NewFile> files;
  std::size_t bytes = 0;
  const auto flush = [&]() -> Result<void> {
    if (entries.empty()) return {};
    if (auto added = to.add(project, files, entries); !added.ok()) return unusable(to, added.error());
    out.entries += entries.size();
    entries.clear();
    files.clear();
    bytes = 0;
    return {};
  };
  for (const std::string& name : names) {
    if (known.contains(name)) continue;
    PAWL_ASSIGN(Entry entry, make_entry(db, project, name, machine));
    entries.push_back({name, record::write_entry(entry)});
    bytes += entries.back().text.size();
    if (const auto* run = std::get_if<RunEntry>(&entry)) {
      for (record::NewFile& file : files_of(cas, *run)) {
        const std::string why = to.refuses(file);
        if (why.empty()) {
          files.push_back(std::move(file));
        } else if (file.judged) {
          out.left_out.push_back(fmt::format("{} of run {}: {}", file.digest, run->run.number, why));
        }
      }
    }
    if (bytes > kBatchBytes) PAWL_RETURN_IF_ERROR(flush());
  }
  PAWL_RETURN_IF_ERROR(flush());
  return out;
}

}  // namespace pawl::core
