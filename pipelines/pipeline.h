// What a .pawl.yml says, as values. Made by parse_pipeline(), which has checked every range and reference
// stated here; everybody else may rely on them.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/gate/policy.h"
#include "engine/rules/table.h"
#include "pipelines/capture.h"
#include "pipelines/cron.h"

namespace pawl::pipeline {

// Globs (pipelines/glob.h). An empty list does not restrict.
struct EventFilter {
  std::vector<std::string> branches;      // of a pull request: the branch it wants to go into
  std::vector<std::string> paths;         // at least one changed file must match ...
  std::vector<std::string> paths_ignore;  // ... and not match one of these

  bool operator==(const EventFilter&) const = default;
};

struct Triggers {
  std::optional<EventFilter> push;
  std::optional<EventFilter> pull_request;
  std::vector<std::string> data;  // names of datasets
  std::vector<Cron> schedule;
  bool manual = true;  // by hand, through the API

  bool operator==(const Triggers&) const = default;
};

struct Dataset {
  std::string name;
  std::string path;  // absolute, or relative to the repository
  // Globs of files below `path`; see dataset_includes() in pipelines/match.h.
  std::vector<std::string> include;
  std::vector<std::string> exclude;
  std::vector<std::string> disjoint_from = {};  // datasets with which it may not share an example
  bool keep_copy = false;                       // every version's files go into the content-addressed store

  bool operator==(const Dataset&) const = default;
};

// GPUs of each rank.
struct GpuRequest {
  bool automatic = false;  // as many as there are for the ranks, also none; `count` is then 0
  int count = 0;

  bool operator==(const GpuRequest&) const = default;
};

// Programs that come with Pawl and that `uses` may name.
std::vector<std::string> stage_programs();

struct Stage {
  std::string name;                // [a-z][a-z0-9_-]*, at most 63 bytes; in a plan also "train@3"
  std::vector<std::string> needs;  // names of stages that must have passed
  std::string evaluates;           // which of `needs` left the model that this stage only scores; or empty
  std::string run;                 // for bash; with `uses` the command line of that program
  std::string uses;                // a built-in stage program, or empty
  std::string setup;               // for bash, in the same shell before `run`; may be empty
  int ranks = 1;
  int cpus = 1;  // CPU slots of the whole stage
  GpuRequest gpus;
  std::chrono::milliseconds timeout = std::chrono::hours(24);
  int retries = 0;               // further attempts after the first
  std::optional<int64_t> steps;  // in total, for the progress bar
  std::vector<int64_t> seeds;    // it is run once with each (pipelines/seeds.h); empty: once
  std::optional<int64_t> seed;   // of one of these runs, in a plan
  Capture capture = Capture::standard();
  // Glob (pipelines/glob.h) of folders or files in the checkout: the event files there are recorded too.
  // `$RANK` in it stands for each rank. Empty: none.
  std::string event_files;
  // Every rule of the table that runs or was switched off, parameters complete: the table's defaults with
  // what the file says on top. A rule the file does not name is off when what it needs is not captured.
  std::vector<rules::RuleConfig> rules;

  bool operator==(const Stage&) const = default;
};

struct Pipeline {
  Triggers on;
  std::vector<Dataset> data;
  std::map<std::string, std::string> env;  // for the stages' processes, nobody else's
  std::vector<Stage> stages;               // in the order of the file
  gate::Policy gate;                       // without metrics (`gate: off`): rules and exit codes decide
};

// "fashion-mnist" -> "FASHION_MNIST", for PAWL_DATA_<NAME> and PAWL_STAGE_<NAME>_DIR. Unique within a
// pipeline.
std::string env_suffix(std::string_view name);

}  // namespace pawl::pipeline
