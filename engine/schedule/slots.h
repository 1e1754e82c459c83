// The machine's CPU and GPU slots, and who holds them. One queue: whoever asks first is served first, so a
// wide stage is never starved by narrow ones behind it. Pure state, no clock, no threads.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/base/error.h"

namespace pawl::schedule {

struct Machine {
  int cpus = 1;
  std::vector<std::string> gpus;  // UUIDs
  std::string gpu_description;    // for messages: "1: NVIDIA H200 (GPU-...)", "none (no driver: ...)"
};

struct Demand {
  int ranks = 1;
  int cpus = 1;  // of the whole stage
  int gpus_per_rank = 0;
  bool gpus_auto = false;  // as many per rank as the machine has for all ranks, also none
};

struct Grant {
  int cpus = 0;
  std::vector<std::vector<std::string>> gpus;  // per rank; empty when no GPU was asked for
};

class Slots {
 public:
  explicit Slots(Machine machine) : machine_(std::move(machine)) {}

  // Whether the demand can be met at all; the error says what was asked for and what the machine has. More
  // CPUs than the machine has are no error: the stage then takes the whole machine.
  Result<void> check(const Demand& demand) const;

  // Takes what the demand needs, all of it or nothing.
  std::optional<Grant> try_take(const Demand& demand);
  // Marks slots as held by an attempt that is running already (after a restart).
  void take(const Grant& grant);
  void give_back(const Grant& grant);

  // Why try_take would give nothing now: "needs 2 CPUs, 1 of 2 is free". Empty when it would succeed.
  std::string why_waiting(const Demand& demand) const;

  int free_cpus() const { return machine_.cpus - used_cpus_; }
  const Machine& machine() const { return machine_; }

 private:
  int cpus_for(const Demand& demand) const;
  int gpus_for_each_rank(const Demand& demand) const;
  std::vector<std::string> free_gpus() const;

  Machine machine_;
  int used_cpus_ = 0;
  std::set<std::string> used_gpus_;
};

}  // namespace pawl::schedule
