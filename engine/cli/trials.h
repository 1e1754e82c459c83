// What `pawl attribute` and `pawl bisect` share: a commit with given data is measured by a run of the record,
// or by training it now.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "engine/cli/local_engine.h"
#include "engine/cli/record.h"
#include "engine/core/trial.h"
#include "engine/gate/verdict.h"

namespace pawl::cli {

struct Measurement {
  store::Run run;
  bool reused = false;  // it was there: nothing was trained for this
  gate::Evidence evidence;
  // Why there is nothing to compare, when the training failed.
  std::string problem;
};

// One thread. Trains in this process, or through the daemon when one has the home.
class Trials {
 public:
  // Error conflict: another `pawl run` has the home.
  static Result<std::unique_ptr<Trials>> open(const std::string& home_flag, bool quiet);

  Db& db() { return local_ ? local_->engine().db() : record_->db; }
  const core::Home& home() { return local_ ? local_->engine().home() : record_->home; }
  store::Cas cas() { return store::Cas(home().cas()); }

  // By a run of the record that used the trial's versions, else by training; a trial of the same that the
  // daemon is at is waited for. A training that ends without metrics is a measurement with a problem. Errors:
  // cancelled (an interrupt), others from the record and the daemon.
  Result<Measurement> measure(const core::Trial& trial, const gate::Policy& policy);
  // Of a run that is on record.
  Result<Measurement> read(const store::Run& run, const gate::Policy& policy);

 private:
  explicit Trials(bool quiet) : quiet_(quiet) {}
  struct Trained {
    store::Run run;
    bool was_there = false;
  };
  Result<Trained> train(const core::Trial& trial);

  bool quiet_;
  std::unique_ptr<LocalEngine> local_;  // this, or the daemon's record
  std::optional<Record> record_;
};

// The pipeline of a commit, with the gate of the target branch where that has one, as a trial is judged by.
Result<pipeline::Pipeline> trial_pipeline(const trigger::Repository& repository, const std::string& commit,
                                          const std::string& target);

}  // namespace pawl::cli
