// pawl check and pawl init: the pipeline file.

#include <fmt/format.h>
#include <sys/stat.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "engine/base/files.h"
#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/cli/commands.h"
#include "engine/cli/output.h"
#include "pipelines/document.h"
#include "pipelines/load.h"
#include "pipelines/parse.h"

namespace pawl::cli {
namespace {

bool is_folder(const std::string& path) {
  struct stat st{};
  return stat(path.c_str(), &st) == 0 && S_ISDIR(st.st_mode);
}

Result<pipeline::ParseResult> load(const std::string& path) {
  if (is_folder(path)) return pipeline::load_pipeline(path);
  PAWL_ASSIGN(std::string text, read_file(path, pipeline::kMaxTextBytes));
  return pipeline::parse_pipeline(text, path);
}

}  // namespace

int check(const Global& global, const CheckOptions& options) {
  auto parsed = load(options.path);
  if (!parsed.ok()) {
    if (!global.json) return fail(parsed.error());
    Json problem = {{"level", "error"},
                    {"file", options.path},
                    {"line", 0},
                    {"column", 0},
                    {"message", parsed.error().to_string()},
                    {"hint", ""}};
    print_json({{"ok", false}, {"diagnostics", Json::array({problem})}});
    return 2;
  }
  if (global.json) {
    Json problems = Json::array();
    for (const Diagnostic& d : parsed->diagnostics) problems.push_back(diagnostic_json(d));
    print_json({{"ok", parsed->ok()}, {"diagnostics", problems}});
    return parsed->ok() ? 0 : 2;
  }
  std::fputs(render(parsed->diagnostics).c_str(), stderr);
  if (!parsed->ok()) return 2;
  size_t stages = parsed->pipeline->stages.size();
  print(fmt::format("{}: {} stage{}, {} gated metric{}: ok\n", options.path, stages, stages == 1 ? "" : "s",
                    parsed->pipeline->gate.metrics.size(),
                    parsed->pipeline->gate.metrics.size() == 1 ? "" : "s"));
  return 0;
}

}  // namespace pawl::cli
