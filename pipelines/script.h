// What the text of a Python script gives away about how it trains.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace pawl::pipeline {

struct Script {
  bool uses_torch = false;   // imports it, or a library that trains with it
  bool trains = false;       // calls backward(), fit() or a Trainer
  bool runs = false;         // does something when it is started: a main part, or code outside functions
  bool joins_group = false;  // joins a process group that somebody else starts: one process per rank
  bool spawns = false;       // starts its own processes
  bool names_nccl = false;
  bool names_gloo = false;
  bool uses_cuda = false;
  bool relative_imports = false;                // must be run as a module of its package
  bool writes_metrics = false;                  // metrics.json, or the writer of the Python package
  std::vector<std::string> metrics;             // names it writes, as far as the text shows them
  std::vector<std::string> required_arguments;  // of argparse
  std::vector<std::string> imports;             // modules, as written: "engine.loop"
};

Script read_script(std::string_view text);

// Adds what a module of the same repository does on behalf of the script that imports it.
void merge_import(Script& script, const Script& module);

}  // namespace pawl::pipeline
