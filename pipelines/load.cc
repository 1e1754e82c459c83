#include "pipelines/load.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <vector>

#include "engine/base/files.h"
#include "pipelines/document.h"

namespace pawl::pipeline {
namespace {

ParseResult failed(const std::string& file, std::string message, std::string hint = {}) {
  ParseResult result;
  result.diagnostics.push_back(Source(file, "").error({}, std::move(message), std::move(hint)));
  return result;
}

std::string path_in(const std::string& folder, std::string_view name) {
  return folder.empty() || folder == "." ? std::string(name) : join_path(folder, name);
}

}  // namespace

ParseResult load_pipeline(const std::string& folder) {
  std::vector<std::string> found;
  for (std::string_view name : kPipelineFiles) {
    if (std::string path = path_in(folder, name); path_exists(path)) found.push_back(std::move(path));
  }
  if (found.empty())
    return failed(path_in(folder, kPipelineFiles[0]), "there is no pipeline file here",
                  "'pawl init' writes one");
  const std::string& path = found[0];
  if (found.size() > 1)
    return failed(path, fmt::format("there is also a {}: which one counts?", found[1]), "remove one of them");
  struct stat status{};
  if (::lstat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode))
    return failed(path, "not a regular file", "a pipeline file must not be a link, a folder or a device");
  auto text = read_file(path, kMaxTextBytes);
  if (!text) return failed(path, text.error().message());
  return parse_pipeline(*text, path);
}

}  // namespace pawl::pipeline
