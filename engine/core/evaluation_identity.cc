#include "engine/core/evaluation_identity.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <set>

#include "engine/base/digest.h"
#include "engine/gate/metric_judge.h"
#include "engine/gate/predictions.h"

namespace pawl::core {
namespace {

void update_sized(Sha256& hash, std::string_view bytes) {
  hash.update(std::to_string(bytes.size()) + ":");
  hash.update(bytes);
}

// Characters that end a word of a command line, as far as a file's name can be told from it.
constexpr std::string_view kEndsWord = " \t\r\n;|&()<>\"'`=,";

std::set<std::string> words_of(std::string_view command) {
  std::set<std::string> words;
  while (!command.empty()) {
    const std::size_t end = std::min(command.find_first_of(kEndsWord), command.size());
    std::string_view word = command.substr(0, end);
    command.remove_prefix(std::min(end + 1, command.size()));
    while (word.starts_with("./")) word.remove_prefix(2);
    if (!word.empty() && word.front() != '/' && word.front() != '-') words.emplace(word);
  }
  return words;
}

// The file a word may mean.
std::vector<std::string> files_named(std::string word) {
  std::vector<std::string> out = {word};
  if (word.find('/') == std::string::npos) {
    std::replace(word.begin(), word.end(), '.', '/');
    out.push_back(word + ".py");
    out.push_back(word + "/__main__.py");
  }
  return out;
}

// Not as a part of a longer name.
bool names_variable(std::string_view text, std::string_view variable) {
  for (std::size_t at = text.find(variable); at != text.npos; at = text.find(variable, at + 1)) {
    const std::size_t end = at + variable.size();
    const bool longer =
        end < text.size() && (std::isalnum(static_cast<unsigned char>(text[end])) != 0 || text[end] == '_');
    if (!longer) return true;
  }
  return false;
}

bool is_output(const std::string& path) {
  return path == gate::kMetricsFile || path.starts_with("predictions.");
}

}  // namespace

const std::string& model_stage(const pipeline::Stage& stage) {
  return stage.evaluates.empty() ? stage.name : stage.evaluates;
}

std::string model_digest(const std::vector<store::Artifact>& artifacts, const std::string& stage) {
  std::map<std::string, std::string> files;
  for (const store::Artifact& artifact : artifacts) {
    if (artifact.stage == stage && !is_output(artifact.path)) files[artifact.path] = artifact.digest;
  }
  if (files.empty()) return {};
  Sha256 hash;
  hash.update("pawl model 1\n");
  for (const auto& [path, digest] : files) {
    update_sized(hash, path);
    update_sized(hash, digest);
  }
  return hash.hex();
}

Result<std::string> evaluator_digest(const pipeline::Stage& stage, const trigger::Repository& repository,
                                     const std::string& commit, const std::vector<store::RunData>& data) {
  if (stage.evaluates.empty()) return std::string();
  Sha256 hash;
  hash.update("pawl evaluator 1\n");
  update_sized(hash, stage.uses.empty() ? "" : stage.uses + " " PAWL_VERSION);
  update_sized(hash, stage.setup);
  update_sized(hash, stage.run);
  std::string text = stage.setup + "\n" + stage.run + "\n";
  for (const std::string& word : words_of(stage.setup + "\n" + stage.run)) {
    for (const std::string& path : files_named(word)) {
      const auto blob = repository.file_at(commit, path, gate::kMaxPredictionsBytes);
      if (!blob.ok() || !*blob) continue;  // no such file; a folder names no evaluator
      update_sized(hash, path);
      update_sized(hash, **blob);
      text += **blob + "\n";
    }
  }
  for (const store::RunData& version : data) {
    if (!names_variable(text, "PAWL_DATA_" + pipeline::env_suffix(version.dataset))) continue;
    update_sized(hash, version.dataset);
    update_sized(hash, version.digest);
  }
  return hash.hex();
}

}  // namespace pawl::core
