#include "engine/record/directory_store.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <ranges>

#include "engine/base/files.h"
#include "engine/base/ids.h"

namespace pawl::record {
namespace {

Result<void> copy_file(const std::string& from, const std::string& to) {
  UniqueFd source(::open(from.c_str(), O_RDONLY | O_CLOEXEC));
  if (!source) return errno_error("cannot open", from, errno);
  UniqueFd target(::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!target) return errno_error("cannot create", to, errno);
  std::string buffer(1 << 18, '\0');
  while (true) {
    const ssize_t n = read(source.get(), buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno_error("cannot read", from, errno);
    if (n == 0) return {};
    PAWL_RETURN_IF_ERROR(
        write_all(target.get(), std::string_view(buffer).substr(0, static_cast<std::size_t>(n))));
  }
}

// Missing: none.
Result<std::vector<DirEntry>> list_if_there(const std::string& path) {
  if (!path_exists(path)) return std::vector<DirEntry>{};
  return list_dir(path);
}

}  // namespace

Result<void> DirectoryStore::open() {
  PAWL_RETURN_IF_ERROR(make_dirs(root_ + "/entries"));
  const std::string probe = root_ + "/writable-" + random_hex(8);
  auto written = write_file_atomic(probe, "");
  if (!written.ok())
    return Error(ErrorCode::io, "cannot be written", name_ + ": " + written.error().to_string());
  unlink(probe.c_str());
  return {};
}

// A disk that went away meanwhile must not be taken for an empty record.
Result<void> DirectoryStore::check_there() const {
  if (path_exists(root_ + "/entries")) return {};
  return Error(ErrorCode::unavailable, "is gone", root_);
}

Result<std::vector<std::string>> DirectoryStore::list(const std::string& project) {
  PAWL_RETURN_IF_ERROR(check_there());
  std::vector<std::string> out;
  // What refers to something was written after it, and is looked at before it.
  for (const Kind kind : std::views::reverse(kWritingOrder)) {
    const std::string folder = root_ + "/" + entry_folder(project, kind);
    PAWL_ASSIGN(auto shards, list_if_there(folder));
    for (const DirEntry& shard : shards) {
      if (shard.type != DirEntry::Type::directory) continue;
      PAWL_ASSIGN(auto files, list_dir(folder + "/" + shard.name));
      for (const DirEntry& file : files) {
        if (kind_of(file.name) == kind) out.push_back(file.name);  // others are on their way
      }
    }
  }
  return out;
}

Result<std::string> DirectoryStore::get(const std::string& project, const std::string& name) {
  return read_file(root_ + "/" + entry_path(project, name), kMaxEntryBytes);
}

Result<void> DirectoryStore::get_file(const std::string& digest, const std::string& to) const {
  PAWL_ASSIGN(std::string path, files_.path_of(digest));
  return copy_file(path, to);
}

std::string DirectoryStore::refuses(const NewFile&) const {
  return {};
}

Result<void> DirectoryStore::add(const std::string& project, const std::vector<NewFile>& files,
                                 const std::vector<NewEntry>& entries) {
  PAWL_RETURN_IF_ERROR(check_there());
  for (const NewFile& file : files) {
    if (files_.has(file.digest)) continue;
    PAWL_ASSIGN(auto stored, files_.put_file(file.path));
    if (stored.digest != file.digest)
      return Error(ErrorCode::io, "is damaged: its content has another digest", file.path);
  }
  for (const Kind kind : kWritingOrder) {
    for (const NewEntry& entry : entries) {
      if (kind_of(entry.name) != kind) continue;
      const std::string path = root_ + "/" + entry_path(project, entry.name);
      if (path_exists(path)) continue;
      PAWL_RETURN_IF_ERROR(make_dirs(parent_path(path)));
      PAWL_RETURN_IF_ERROR(write_file_atomic(path, entry.text));
    }
  }
  return {};
}

}  // namespace pawl::record
