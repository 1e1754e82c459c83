// pawl init: a .pawl.yml for the repository in a folder.

#include <fmt/format.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "engine/base/files.h"
#include "engine/base/json.h"
#include "engine/cli/commands.h"
#include "engine/cli/engine_options.h"
#include "engine/cli/output.h"
#include "engine/trigger/git.h"
#include "pipelines/init.h"

namespace pawl::cli {
namespace {
constexpr size_t kMaxFiles = 5000;
constexpr int kMaxDepth = 4;
constexpr size_t kMaxTextBytes = 1 << 20;

// Files of the repository, relative; what no training starts from (.git, environments, caches) is left out.
void list_files(const std::string& root, const std::string& relative, int depth,
                std::vector<std::string>& out) {
  auto entries = list_dir(relative.empty() ? root : root + "/" + relative);
  if (!entries.ok() || depth > kMaxDepth) return;
  for (const DirEntry& entry : *entries) {
    if (out.size() >= kMaxFiles) return;
    std::string path = relative.empty() ? entry.name : relative + "/" + entry.name;
    bool skipped = entry.name == ".git" || entry.name == "node_modules" || entry.name == "__pycache__" ||
                   entry.name == ".venv" || entry.name == "venv";
    if (entry.type == DirEntry::Type::file) out.push_back(path);
    if (entry.type != DirEntry::Type::directory || skipped) continue;
    list_files(root, path, depth + 1, out);
  }
}

// The environment that is active, else one beside the scripts; as a full path, since a run has its own
// checkout.
std::string find_environment(const std::string& root) {
  for (const char* name : {"VIRTUAL_ENV", "CONDA_PREFIX"}) {
    if (const char* value = std::getenv(name); value != nullptr && *value != '\0') return value;
  }
  for (const char* folder : {"/.venv", "/venv"}) {
    if (path_exists(root + folder + "/bin/activate")) return root + folder;
  }
  return {};
}

Result<int> write_pipeline(const Global& global, const InitOptions& options) {
  if (!list_dir(options.path).ok())
    return Error(ErrorCode::usage, "is not a folder that can be read", options.path);
  std::string target = options.path + "/.pawl.yml";
  if (!options.force && path_exists(target)) {
    return Error(ErrorCode::conflict, "is there already: --force replaces it", target);
  }
  pipeline::Repository repository;
  PAWL_ASSIGN(std::string root, absolute_path(options.path));
  list_files(root, "", 0, repository.files);
  for (const std::string& file : pipeline::files_to_read(repository.files)) {
    if (auto text = read_file(root + "/" + file, kMaxTextBytes); text.ok())
      repository.contents[file] = std::move(*text);
  }
  repository.environment = find_environment(root);
  if (auto branch = trigger::Repository(root).current_branch(); branch.ok() && !branch->empty()) {
    repository.target_branch = *branch;
  }
  PAWL_ASSIGN(pipeline::Proposal proposal, pipeline::propose_pipeline(repository));
  PAWL_RETURN_IF_ERROR(write_file_atomic(target, proposal.text));
  if (global.json) {
    print_json({{"file", target}, {"script", proposal.script}, {"notes", proposal.notes}});
    return 0;
  }
  print(fmt::format("wrote {} for {}\n", target, proposal.script));
  for (const std::string& note : proposal.notes) print(fmt::format("  {}\n", note));
  print("Commit it, then: pawl run\n");
  return 0;
}

}  // namespace

int init(const Global& global, const InitOptions& options) {
  auto result = write_pipeline(global, options);
  return result.ok() ? *result : fail(result.error());
}

}  // namespace pawl::cli
