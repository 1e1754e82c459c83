#include "engine/record/record_store.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include "engine/record/daemon_store.h"
#include "engine/record/directory_store.h"
#include "engine/record/git_store.h"

namespace pawl::record {
namespace {

bool is_folder(const std::string& path) {
  struct stat st {};
  return stat(path.c_str(), &st) == 0 && S_ISDIR(st.st_mode);
}

}  // namespace

Result<std::unique_ptr<RecordStore>> make_store(const Place& place) {
  const std::string& record = place.record;
  if (record == "git") return std::unique_ptr<RecordStore>(std::make_unique<GitStore>(place.repository));
  if (record.starts_with("https://") || record.starts_with("http://"))
    return std::unique_ptr<RecordStore>(std::make_unique<DaemonStore>(record, place.token));
  if (is_folder(record)) return std::unique_ptr<RecordStore>(std::make_unique<DirectoryStore>(record));
  // A folder that is made on the way would hide a typing mistake, or a disk that is not mounted: every run
  // would be the first one.
  return Error(
      ErrorCode::unavailable,
      fmt::format("there is no folder '{}': make it if it is to keep the record (--record takes a folder, "
                  "git, or the https:// address of a daemon)",
                  record));
}

std::string entry_folder(const std::string& project, Kind kind) {
  return fmt::format("entries/{}/{}", project, to_string(kind));
}

std::string entry_path(const std::string& project, const std::string& name) {
  const auto kind = kind_of(name);
  PAWL_CHECK(kind && is_project(project));
  return fmt::format("{}/{}/{}", entry_folder(project, *kind), name.substr(name.size() - 2), name);
}

std::string file_path(std::string_view digest) {
  const std::string_view hex = digest.substr(std::string_view("sha256:").size());
  return fmt::format("files/{}/{}", hex.substr(0, 2), hex);
}

}  // namespace pawl::record
