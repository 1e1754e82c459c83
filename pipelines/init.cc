#include "pipelines/init.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/base/json.h"
#include "engine/base/text.h"
#include "pipelines/glob.h"

namespace pawl::pipeline {
namespace {

// A YAML scalar that every reader takes for the text `text`.
std::string yaml_text(const std::string& text) {
  static const RE2 plain(R"([A-Za-z./][-A-Za-z0-9_./=$ +]*(?::\$PATH)?)");
  static const RE2 word(R"((?i)null|true|false|yes|no|on|off|y|n)");
  bool safe = RE2::FullMatch(text, plain) && !RE2::FullMatch(text, word) && !text.ends_with(' ');
  return safe ? text : dump_json(text);
}

// ` {branches: [main]}`, or nothing when no pattern can say it.
std::string branch_filter(const std::string& branch) {
  return check_glob(branch) ? fmt::format(" {{branches: [{}]}}", yaml_text(branch)) : "";
}

std::string shell_word(const std::string& text) {
  static const RE2 plain(R"([-A-Za-z0-9_./]+)");
  return RE2::FullMatch(text, plain) ? text : shell_quote(text);
}

std::string command_of(const Repository& repository, const Candidate& candidate) {
  std::string_view folder = folder_of(candidate.path);
  bool package = std::find(repository.files.begin(), repository.files.end(),
                           in_folder(folder, "__init__.py")) != repository.files.end();
  std::string path = (candidate.path.starts_with('-') ? "./" : "") + candidate.path;
  std::string python = repository.environment.empty() ? "python3 " : "python ";
  if (!candidate.script.relative_imports || folder.empty() || !package) return python + shell_word(path);
  std::string module = candidate.path.substr(0, candidate.path.size() - 3);
  return python + "-m " + shell_word(replace_all(module, "/", "."));
}

bool has_requirements(const Repository& repository) {
  return std::find(repository.files.begin(), repository.files.end(), "requirements.txt") !=
         repository.files.end();
}

std::string setup_lines(const Repository& repository) {
  if (!repository.environment.empty()) {
    return fmt::format(
        "    # The environment of this machine. A run has its own checkout: keep the path absolute.\n"
        "    setup: {}\n",
        yaml_text("export PATH=" + shell_word(repository.environment + "/bin") + ":$PATH"));
  }
  std::string what = has_requirements(repository) ? "what requirements.txt lists" : "what the script imports";
  return fmt::format(
      "    # The python3 of the machine, which must have {}. For another one:\n"
      "    # setup: . /absolute/path/.venv/bin/activate\n",
      what);
}

std::string rank_lines(const Candidate& candidate) {
  const Script& script = candidate.script;
  std::string gpus =
      script.uses_cuda || candidate.needs_nccl() ? "    gpus: auto   # per rank, what there is\n" : "";
  if (!candidate.distributed()) return gpus;
  if (candidate.needs_nccl())
    return "    ranks: 1     # one process each, with the environment of torchrun; NCCL wants one GPU per "
           "rank: raise it "
           "to\n"
           "                 # the number of your GPUs\n" +
           gpus;
  return "    ranks: 2     # one process each, with the environment of torchrun\n" + gpus;
}

struct KnownMetric {
  const char* part;  // of the lower-case name
  bool lower;        // is better
};

constexpr KnownMetric kKnownMetrics[] = {
    {"loss", true},       {"error", true},   {"perplexity", true}, {"ppl", true},   {"mae", true},
    {"mse", true},        {"wer", true},     {"acc", false},       {"f1", false},   {"auc", false},
    {"precision", false}, {"recall", false}, {"iou", false},       {"bleu", false}, {"rouge", false},
};

const KnownMetric* find_known(const std::string& name) {
  std::string lower = to_lower(name);
  auto found =
      std::find_if(std::begin(kKnownMetrics), std::end(kKnownMetrics),
                   [&](const KnownMetric& known) { return lower.find(known.part) != std::string::npos; });
  return found == std::end(kKnownMetrics) ? nullptr : found;
}

std::string metric_line(const std::string& name, const KnownMetric& known) {
  return known.lower
             ? fmt::format("    {}: {{direction: lower, max_drop_relative: 0.1}}   # red when 10 % worse\n",
                           name)
             : fmt::format("    {}: {{direction: higher, max_drop: 0.02}}   # red when 2 points worse\n",
                           name);
}

std::string gate_with(const std::string& metrics) {
  return "# Red when the model is worse than the last green run of the target branch.\n"
         "gate:\n"
         "  bootstrap: true   # the first green run becomes the baseline\n"
         "  metrics:\n" +
         metrics;
}

std::string gate_without(const Candidate& candidate) {
  return fmt::format(
      "# {} does not say in metrics.json how good its model is, so only the rules and its exit code decide.\n"
      "# Write {{\"accuracy\": 0.87}} to the file metrics.json in the folder $PAWL_OUTPUT_DIR, then put this "
      "in place "
      "of `off`:\n"
      "#   bootstrap: true   # the first green run becomes the baseline\n"
      "#   metrics:\n"
      "#     accuracy: {{direction: higher, max_drop: 0.02}}   # red when 2 points worse than the last green "
      "run\n"
      "gate: off\n",
      candidate.path);
}

std::string gate_lines(const Candidate& candidate) {
  std::string lines;
  for (const std::string& name : candidate.script.metrics) {
    if (to_lower(name).find("train") != std::string::npos)
      continue;  // what is judged is what it has not seen
    if (const KnownMetric* known = find_known(name)) lines += metric_line(yaml_text(name), *known);
  }
  return lines.empty() ? gate_without(candidate) : gate_with(lines);
}

std::vector<std::string> notes_of(const Repository& repository, const Candidate& candidate) {
  const Script& script = candidate.script;
  std::vector<std::string> notes = {
      fmt::format("training script: {}{}", candidate.path, candidate.distributed() ? ", distributed" : "")};
  if (!script.required_arguments.empty())
    notes.push_back(fmt::format("it has required arguments ({}): add them to 'run'",
                                join(script.required_arguments, ", ")));
  if (repository.environment.empty() && has_requirements(repository))
    notes.push_back(
        "no virtual environment found: python3 of the machine must have what requirements.txt lists");
  if (!script.writes_metrics)
    notes.push_back("it writes no metrics.json: the gate is off, only rules and the exit code decide");
  return notes;
}

std::string text_of(const Repository& repository, const Candidate& candidate) {
  std::string arguments;
  if (!candidate.script.required_arguments.empty())
    arguments =
        fmt::format("    # It has required arguments: {}\n", join(candidate.script.required_arguments, ", "));
  return fmt::format(
      "# What Pawl does with this repository. `pawl check` checks the file, `pawl run` runs it here and "
      "now;\n"
      "# docs/pipeline.md of Pawl explains every key.\n"
      "version: 1\n"
      "\n"
      "on:\n"
      "  push:{0}\n"
      "  pull_request:{0}\n"
      "  manual: true\n"
      "\n"
      "stages:\n"
      "  train:\n"
      "{1}"
      "    run: {2}\n"
      "{3}{4}"
      "    # timeout: 24h\n"
      "    # steps: 1000   # training steps in total, for the progress bar\n"
      "    # The rules that watch the training are all on; `rules: {{loss_plateau: off}}` changes them.\n"
      "\n"
      "{5}",
      branch_filter(repository.target_branch), arguments, yaml_text(command_of(repository, candidate)),
      setup_lines(repository), rank_lines(candidate), gate_lines(candidate));
}

}  // namespace

Result<Proposal> propose_pipeline(const Repository& repository) {
  PAWL_ASSIGN(Candidate candidate, pick_script(repository));
  return Proposal{candidate.path, text_of(repository, candidate), notes_of(repository, candidate)};
}

}  // namespace pawl::pipeline
