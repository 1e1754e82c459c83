// What `pawl attribute` and `pawl bisect` share: a commit with given data is measured by a run of the record,
// or by training it now.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "engine/base/files.h"
#include "engine/cli/local_engine.h"
#include "engine/core/trial.h"
#include "engine/gate/verdict.h"

namespace pawl::cli {

struct Measurement {
  store::Run run;
  bool reused = false;
  gate::Evidence evidence;
  // Why there is nothing to compare, when the training failed.
  std::string problem;
};

// One thread. Holds the home, as an engine does, until it goes.
class Trials {
 public:
  static Result<std::unique_ptr<Trials>> open(const core::Home& home, bool quiet);

  Db& db() { return local_->engine().db(); }
  const core::Home& home() { return local_->engine().home(); }
  store::Cas cas() { return store::Cas(home().cas()); }

  // `digests` are the versions that `trial.data` leads to; a run of the record must have used them. A
  // training that ends without metrics is a measurement with a problem. Errors: cancelled (an interrupt),
  // conflict (the training saw other data than `digests`), others from the record.
  Result<Measurement> measure(const core::Trial& trial, const core::DataDigests& digests,
                              const gate::Policy& policy);
  // Of a run that is on record.
  Result<Measurement> read(const store::Run& run, const gate::Policy& policy);

  // The folder of a version of a dataset; kept copies are laid out in a folder that goes with this object.
  Result<std::string> find_version(const core::WantedVersion& wanted);

 private:
  explicit Trials(std::unique_ptr<LocalEngine> local) : local_(std::move(local)) {}

  std::unique_ptr<LocalEngine> local_;
  std::optional<TempDir> scratch_;
};

// The pipeline of a commit, with the gate of the target branch where that has one, as a trial is judged by.
Result<pipeline::Pipeline> trial_pipeline(const trigger::Repository& repository, const std::string& commit,
                                          const std::string& target);

}  // namespace pawl::cli
