// What it takes to start the ranks of one attempt. A plain value; supervise::Intent adds the policy.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace pawl::runners {

struct AttemptSpec {
  std::string run_id;
  std::string stage;
  int attempt = 1;
  int64_t fence = 0;   // grows with every start of the attempt; an older starter must not go on
  std::string cookie;  // make_cookie(): stands in the environment of every process of this start

  std::string setup;    // shell text run before `command` in the same shell; may be empty
  std::string command;  // shell text: one bash per rank executes it

  // Absolute paths.
  std::string source_dir;                         // checkout; the working directory of the ranks
  std::string attempt_dir;                        // runs/<run>/<stage>/<attempt>
  std::string checkpoint_dir;                     // shared by all attempts of the stage in this run
  std::map<std::string, std::string> data_dirs;   // dataset name -> folder
  std::map<std::string, std::string> needs_dirs;  // stage this one needs -> its out/
  std::string python_dir;                         // <share>/python; empty: no Python hooks
  std::string capture_lib;                        // libpawl_capture.so
  std::string include_dir;
  std::string lib_dir;
  std::string bin_dir;  // of the stage programs that come with us

  std::map<std::string, std::string> env;  // the user's, over the inherited one and under ours
  std::optional<int64_t> seed;             // PAWL_SEED
  int ranks = 1;
  int cpus = 1;                                     // of the whole stage
  std::vector<std::vector<std::string>> gpu_uuids;  // one list per rank, or empty: no device was assigned
  std::string capture = "off";                      // text of PAWL_CAPTURE
};

std::string make_cookie(const std::string& run_id, const std::string& stage, int attempt, int64_t fence);

}  // namespace pawl::runners
