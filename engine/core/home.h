// Where things are: the home of one engine, and the parts of the installation.
#pragma once

#include <string>

#include "engine/base/error.h"

namespace pawl::core {

// $PAWL_HOME and what lies in it (see ARCHITECTURE.md, "On disk"). A value; it creates nothing by itself.
struct Home {
  std::string root;

  std::string lock() const { return root + "/lock"; }
  std::string config() const { return root + "/config.yml"; }
  std::string database() const { return root + "/pawl.db"; }
  std::string endpoint() const { return root + "/daemon.json"; }  // where a running daemon listens
  std::string cas() const { return root + "/cas"; }
  std::string mirror(const std::string& project) const { return root + "/repos/" + project + ".git"; }
  std::string run(const std::string& run_id) const { return root + "/runs/" + run_id; }
  std::string source(const std::string& run_id) const { return run(run_id) + "/source"; }
  std::string report(const std::string& run_id) const { return run(run_id) + "/report"; }
  std::string stage(const std::string& run_id, const std::string& stage) const {
    return run(run_id) + "/" + stage;
  }
  std::string attempt(const std::string& run_id, const std::string& stage_name, int64_t number) const {
    return stage(run_id, stage_name) + "/" + std::to_string(number);
  }
  std::string checkpoints(const std::string& run_id, const std::string& stage_name) const {
    return stage(run_id, stage_name) + "/checkpoints";
  }
};

// `flag` if not empty, else $PAWL_HOME, else $XDG_DATA_HOME/pawl, else ~/.local/share/pawl; made absolute.
Result<Home> find_home(const std::string& flag);

// The tree the running binary belongs to: bin/, lib/, include/, share/pawl/python, installed or in a build
// folder.
struct Install {
  std::string pawl;         // the binary itself
  std::string python_dir;   // holds the package `pawl` and the folder `site`
  std::string capture_lib;  // libpawl_capture.so
  std::string include_dir;
  std::string lib_dir;
  std::string bin_dir;  // pawl-evaluate
};
Result<Install> find_install();

}  // namespace pawl::core
