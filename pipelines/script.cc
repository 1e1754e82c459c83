#include "pipelines/script.h"

#include <re2/re2.h>

#include <algorithm>

namespace pawl::pipeline {
namespace {

bool holds(std::string_view text, const char* pattern) {
  RE2::Options options;
  options.set_log_errors(false);
  RE2 regex(std::string("(?m)") + pattern, options);
  return RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), regex);
}

// The first group of every match.
std::vector<std::string> all_matches(std::string_view text, const char* pattern) {
  std::vector<std::string> out;
  RE2 regex(pattern);
  re2::StringPiece rest(text.data(), text.size());
  for (std::string match; RE2::FindAndConsume(&rest, regex, &match);) {
    if (std::find(out.begin(), out.end(), match) == out.end()) out.push_back(match);
  }
  return out;
}

// Keys of the dictionaries that look as if they went into metrics.json.
std::vector<std::string> metric_names(std::string_view text) {
  std::vector<std::string> out;
  // One level of inner dictionaries: {"accuracy": {"value": ...}, ...}
  constexpr const char* kDictionaries =
      R"((?:pawl\.metrics\(|json\.dumps?\(|metrics\s*=)\s*(\{(?:[^{}]|\{[^{}]*\})*\}))";
  for (const std::string& dictionary : all_matches(text, kDictionaries)) {
    std::string outer = dictionary.substr(1);
    RE2::GlobalReplace(&outer, R"(\{[^{}]*\})", "");
    for (std::string& name : all_matches(outer, R"re(["']([A-Za-z][A-Za-z0-9_./-]*)["']\s*:)re"))
      out.push_back(std::move(name));
  }
  return out;
}

std::vector<std::string> required_arguments(std::string_view text) {
  std::vector<std::string> out =
      all_matches(text, R"re(add_argument\(\s*["']([A-Za-z][A-Za-z0-9_-]*)["'])re");  // positional
  constexpr const char* kRequired =
      R"re(add_argument\(\s*(?:["']-[A-Za-z]["']\s*,\s*)?["'](--[A-Za-z0-9_-]+)["'][^()]*(?:\([^()]*\)[^()]*)*required\s*=\s*True)re";
  for (std::string& option : all_matches(text, kRequired)) out.push_back(std::move(option));
  return out;
}

}  // namespace

Script read_script(std::string_view raw) {
  std::string text(raw);
  RE2::GlobalReplace(&text, "#[^\n]*", "");  // comments; that a string may hold a '#' does no harm here
  Script script;
  script.uses_torch = holds(
      text,
      R"(^\s*(?:import\s+(?:[\w. ]+,\s*)*|from\s+)(?:torch|lightning|pytorch_lightning|transformers|accelerate|ignite)\b)");
  script.trains = holds(text, R"(\.backward\(|\.fit\(|\bTrainer\(|\.manual_backward\()");
  script.runs = holds(text, R"(^if\s+__name__\s*==|^(?:for|while|with)\b|^[A-Za-z_][A-Za-z0-9_.]*\()");
  script.spawns =
      holds(text, R"(\bmp\.spawn\(|multiprocessing\.spawn\(|\bstart_processes\(|notebook_launcher\()");
  bool parallel = holds(
      text, R"(DistributedDataParallel|init_process_group|FullyShardedDataParallel|\bFSDP\b|fully_shard\()");
  bool environment = holds(
      text,
      R"(LOCAL_RANK|WORLD_SIZE|torchrun|env://|init_process_group\(\s*(?:backend\s*=\s*)?["'a-z]*\s*\))");
  script.joins_group = parallel && environment;
  script.names_nccl = holds(text, R"(["']nccl["'])");
  script.names_gloo = holds(text, R"(gloo)");
  script.uses_cuda = holds(text, R"(\bcuda\b|torch\.accelerator\b)");
  script.relative_imports = holds(text, R"(^from\s+\.)");
  script.writes_metrics = holds(text, R"(metrics\.json|pawl\.metrics\()");
  if (script.writes_metrics) script.metrics = metric_names(text);
  script.required_arguments = required_arguments(text);
  script.imports = all_matches(text, R"((?m)^\s*(?:from|import)\s+([A-Za-z_][A-Za-z0-9_.]*)[^\n]*)");
  return script;
}

void merge_import(Script& script, const Script& module) {
  script.uses_torch |= module.uses_torch;
  script.trains |= module.trains;
  script.joins_group |= module.joins_group;
  script.spawns |= module.spawns;
  script.names_nccl |= module.names_nccl;
  script.names_gloo |= module.names_gloo;
  script.uses_cuda |= module.uses_cuda;
  script.writes_metrics |= module.writes_metrics;
  script.metrics.insert(script.metrics.end(), module.metrics.begin(), module.metrics.end());
  // The parser of the command line often has a module of its own.
  script.required_arguments.insert(script.required_arguments.end(), module.required_arguments.begin(),
                                   module.required_arguments.end());
}

}  // namespace pawl::pipeline
