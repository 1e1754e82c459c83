// Which script of a repository trains, and how it wants to be started.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/error.h"
#include "pipelines/script.h"

namespace pawl::pipeline {

struct Repository {
  std::vector<std::string> files;               // paths relative to the root
  std::map<std::string, std::string> contents;  // of those that files_to_read() named and that could be read
  // Folder of the virtual or conda environment the scripts are to run in, absolute; empty: none is known. A
  // run has its own checkout, so an environment inside the repository must be named by its full path too.
  std::string environment;
  std::string target_branch = "main";
};

// The files whose texts matter, the most promising first, at most 60: training scripts, and what may tell how
// they are started. 256 KiB of each are enough.
std::vector<std::string> files_to_read(const std::vector<std::string>& files);

struct Candidate {
  std::string path;
  Script script;
  int score = 0;

  bool distributed() const { return script.joins_group && !script.spawns; }
  bool needs_nccl() const { return script.names_nccl && !script.names_gloo; }
};

// Error not_found when no script looks like training with PyTorch.
Result<Candidate> pick_script(const Repository& repository);

std::string_view folder_of(std::string_view path);  // "" for a file at the root
std::string in_folder(std::string_view folder, std::string_view name);

}  // namespace pawl::pipeline
