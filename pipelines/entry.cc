#include "pipelines/entry.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <tuple>

#include "engine/base/text.h"

namespace pawl::pipeline {
namespace {

constexpr size_t kMaxFilesToRead = 60;

std::string_view basename_of(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}

size_t depth_of(std::string_view path) {
  return static_cast<size_t>(std::count(path.begin(), path.end(), '/'));
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// Names that a command line and a YAML file can carry without surprises.
bool usable_name(std::string_view path) {
  return to_valid_utf8(path) == path && std::none_of(path.begin(), path.end(), [](char c) {
           return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
         });
}

bool is_aside(std::string_view path) {
  static const std::vector<std::string> kAside = {"test",          "tests",        "docs",  "venv",
                                                  "env",           "node_modules", "build", "dist",
                                                  "site-packages", "third_party"};
  for (std::string_view part : split(folder_of(path), '/')) {
    if (part.starts_with('.') || std::find(kAside.begin(), kAside.end(), part) != kAside.end()) return true;
  }
  std::string_view name = basename_of(path);
  return name.starts_with("test_") || name.ends_with("_test.py") || name == "conftest.py" ||
         name == "setup.py";
}

// How much a name promises a training script; 0: nothing.
int name_score(std::string_view path) {
  if (!path.ends_with(".py") || is_aside(path) || !usable_name(path)) return 0;
  std::string name = to_lower(basename_of(path));
  if (name == "train.py") return 40;
  if (contains(name, "train") || contains(name, "finetune")) return 30;
  if (name == "main.py") return 20;
  if (name == "run.py" || name == "__main__.py") return 10;
  return 1;
}

// README.md, run.sh: where the command that starts a training may be written.
bool tells_commands(std::string_view path) {
  std::string name = to_lower(basename_of(path));
  bool kind = name.ends_with(".sh") || name.starts_with("readme") || name == "makefile";
  return kind && depth_of(path) <= 1 && !is_aside(path) && usable_name(path);
}

bool launched_by_torchrun(const Repository& repository, std::string_view path) {
  std::string name = RE2::QuoteMeta(std::string(basename_of(path)));
  RE2 launch("(?:torchrun|torch\\.distributed\\.(?:run|launch)|accelerate launch)(?:[^\\n]|\\\\\\n)*\\b" +
             name);
  return std::any_of(repository.contents.begin(), repository.contents.end(), [&](const auto& file) {
    return tells_commands(file.first) && RE2::PartialMatch(file.second, launch);
  });
}

// The script with what the repository's own modules do that it imports by name.
Script read_with_imports(const Repository& repository, const std::string& path, const std::string& text) {
  Script script = read_script(text);
  for (const std::string& module : std::vector(script.imports)) {
    std::string file = replace_all(module, ".", "/") + ".py";
    for (const std::string& place : {in_folder(folder_of(path), file), file}) {
      auto found = repository.contents.find(place);
      if (found == repository.contents.end() || place == path) continue;
      merge_import(script, read_script(found->second));
      break;
    }
  }
  return script;
}

Candidate judge(const Repository& repository, const std::string& path, const std::string& text) {
  Candidate out{path, read_with_imports(repository, path, text), 0};
  if (launched_by_torchrun(repository, path)) out.script.joins_group = true;
  if (!out.script.uses_torch || !out.script.runs) return out;
  out.score = name_score(path) + (out.script.trains ? 50 : 0) + (out.distributed() ? 5 : 0);
  out.score -= 5 * static_cast<int>(depth_of(path));
  return out;
}

}  // namespace

std::string_view folder_of(std::string_view path) {
  size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? "" : path.substr(0, slash);
}

std::string in_folder(std::string_view folder, std::string_view name) {
  return folder.empty() ? std::string(name) : fmt::format("{}/{}", folder, name);
}

Result<Candidate> pick_script(const Repository& repository) {
  Candidate best;
  for (const auto& [path, text] : repository.contents) {
    if (name_score(path) == 0) continue;
    Candidate candidate = judge(repository, path, text);
    if (candidate.score > best.score) best = std::move(candidate);
  }
  if (best.score > 0) return best;
  return Error(
      ErrorCode::not_found,
      "no training script found: no Python file both uses torch and does something when it is started");
}

std::vector<std::string> files_to_read(const std::vector<std::string>& files) {
  struct Ranked {
    int score;
    size_t depth;
    std::string path;
  };
  std::vector<Ranked> ranked;
  for (const std::string& path : files) {
    int score = tells_commands(path) ? 35 : name_score(path);
    if (score > 0) ranked.push_back({score, depth_of(path), path});
  }
  std::sort(ranked.begin(), ranked.end(), [](const Ranked& a, const Ranked& b) {
    return std::tuple(-a.score, a.depth, std::string_view(a.path)) <
           std::tuple(-b.score, b.depth, std::string_view(b.path));
  });
  std::vector<std::string> out;
  for (size_t i = 0; i < std::min(ranked.size(), kMaxFilesToRead); ++i)
    out.push_back(std::move(ranked[i].path));
  return out;
}

}  // namespace pawl::pipeline
