#include "engine/core/kept_data.h"

#include <filesystem>
#include <system_error>

#include "engine/base/files.h"

namespace pawl::core {
namespace {

std::string digest_of(const trigger::DataFile& file) {
  return "sha256:" + file.sha256;
}

// A dataset of one file has that file's name as its only path.
bool is_one_file(const std::string& root, const std::vector<trigger::DataFile>& files) {
  return files.size() == 1 && root.ends_with("/" + files.front().path);
}

}  // namespace

Result<void> keep_version(const store::Cas& cas, const std::string& root,
                          const trigger::DataVersion& version) {
  PAWL_ASSIGN(auto files, trigger::parse_manifest(version.manifest));
  const bool folder = list_dir(root).ok();
  for (const trigger::DataFile& file : files) {
    if (cas.path_of(digest_of(file)).ok()) continue;
    const std::string path = folder ? root + "/" + file.path : root;
    // A link of a dataset leads to a file of the dataset; the scan has seen to that.
    std::error_code error;
    const std::filesystem::path real = std::filesystem::canonical(path, error);
    if (error) return Error(ErrorCode::unavailable, "is gone since it was read", path);
    PAWL_ASSIGN(const store::Cas::Stored stored, cas.put_file(real.string()));
    if (stored.digest != digest_of(file))
      return Error(ErrorCode::unavailable, "changed while it was copied", path);
  }
  return {};
}

bool is_kept(const store::Cas& cas, const store::DataVersion& version) {
  const auto files = trigger::parse_manifest(version.manifest);
  if (!files.ok()) return false;
  for (const trigger::DataFile& file : *files) {
    if (!cas.path_of(digest_of(file)).ok()) return false;
  }
  return true;
}

Result<std::string> lay_out(const store::Cas& cas, const store::DataVersion& version,
                            const std::string& dir) {
  PAWL_ASSIGN(auto files, trigger::parse_manifest(version.manifest));
  for (const trigger::DataFile& file : files) {
    const std::string path = dir + "/" + file.path;
    PAWL_RETURN_IF_ERROR(make_dirs(parent_path(path)));
    PAWL_RETURN_IF_ERROR(cas.copy_to(digest_of(file), path));
  }
  return is_one_file(version.path, files) ? dir + "/" + files.front().path : dir;
}

}  // namespace pawl::core
