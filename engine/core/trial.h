// Trials: runs that ask "what if", for `pawl attribute` and `pawl bisect`. A trial runs and is judged like
// any run of a commit, but it is no news: it never becomes a baseline, writes no commit status, and says
// nothing about what a dataset is now.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "engine/base/sqlite.h"
#include "engine/core/home.h"
#include "engine/core/new_run.h"
#include "engine/store/cas.h"
#include "engine/store/data.h"
#include "engine/store/runs.h"

namespace pawl::core {

bool is_trial(const store::Run& run);

// Dataset -> digest.
using DataDigests = std::map<std::string, std::string>;

struct Trial {
  std::string project;
  std::string target;  // whose gate judges
  std::string commit;
  std::string asked_by;  // "bisect"
  std::string note;      // why, for people
  std::string repository;
  std::map<std::string, std::string> data;  // dataset -> folder, over the path in .pawl.yml
  DataDigests versions;                     // to run on
};
// Error not_found: the repository does not have the commit.
Result<NewRun> new_trial(const Trial& trial, int64_t now_ms);

// Whether an open run, made from this source, is a trial that trains what `asked` would: the same commit on
// the same versions. One that somebody cancelled is not: it will measure nothing.
bool trains_the_same(const store::Run& open, const RunSource& source, const NewRun& asked);

// What the run used, without what lies in the repository itself: that comes with the commit.
Result<DataDigests> data_used(Db& db, const Home& home, const store::Run& run);

// Every stage succeeded, and metrics are there: what a rule stopped midway is no measurement.
Result<bool> ran_to_its_end(Db& db, const store::Run& run);

// A finished run of the commit, trial or not, that used these versions, as far as it used these datasets, and
// left metrics, and whose predictions are here: the newest. There is no need to train again.
Result<std::optional<store::Run>> find_measured(Db& db, const Home& home, const std::string& project,
                                                const std::string& commit, const DataDigests& data);

// Where a version of a dataset can be read now.
struct WantedVersion {
  std::string project;
  std::string dataset;
  std::string digest;
  std::vector<trigger::DataSpec> places;  // where to look besides the folder it was last seen in
};
struct FoundVersion {
  std::string folder;                           // that has it now (digests are checked); or:
  std::optional<store::DataVersion> kept = {};  // all of its files are in the store (`keep: copy`)
};
// Error not_found says that the data is gone, and what would have kept it. Blocks (hashing).
Result<FoundVersion> find_version(Db& db, const store::Cas& cas, const WantedVersion& wanted);

}  // namespace pawl::core
