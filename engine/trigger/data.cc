#include "engine/trigger/data.h"

#include <fmt/format.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <optional>

#include "engine/base/digest.h"
#include "engine/base/files.h"
#include "engine/base/text.h"
#include "pipelines/glob.h"

namespace pawl::trigger {
namespace {

constexpr size_t kMaxFiles = 2'000'000;
constexpr int kMaxDepth = 64;

bool is_unfinished(std::string_view name) {
  return name.empty() || name[0] == '.' || name.ends_with(".tmp") || name.ends_with(".part") ||
         name.ends_with("~");
}

bool wanted(const DataSpec& spec, const std::string& path) {
  bool out = !spec.exclude.empty() && pipeline::any_glob_matches(spec.exclude, path);
  return !out && pipeline::any_glob_matches(spec.include, path);
}

struct Found {
  std::string relative;
  std::string absolute;
  FileStat stat;
};

// Where a link leads, when that is a regular file below the root.
std::optional<std::string> file_behind_link(const std::string& root, const std::string& path) {
  std::unique_ptr<char, decltype(&free)> real_root(realpath(root.c_str(), nullptr), free);
  std::unique_ptr<char, decltype(&free)> real(realpath(path.c_str(), nullptr), free);
  if (!real_root || !real) return std::nullopt;
  std::string target = real.get();
  struct stat st{};
  bool taken = target.starts_with(std::string(real_root.get()) + "/") && lstat(target.c_str(), &st) == 0 &&
               S_ISREG(st.st_mode);
  return taken ? std::optional(std::move(target)) : std::nullopt;
}

Result<void> walk(const DataSpec& spec, const std::string& relative, int depth, std::vector<Found>& out) {
  std::string folder = relative.empty() ? spec.root : spec.root + "/" + relative;
  if (depth > kMaxDepth) return Error(ErrorCode::invalid, "is nested too deeply", folder);
  PAWL_ASSIGN(std::vector<DirEntry> entries, list_dir(folder));
  for (const DirEntry& entry : entries) {
    if (is_unfinished(entry.name)) continue;
    std::string path = relative.empty() ? entry.name : relative + "/" + entry.name;
    std::string absolute = spec.root + "/" + path;
    if (entry.type == DirEntry::Type::directory) {
      PAWL_RETURN_IF_ERROR(walk(spec, path, depth + 1, out));
      continue;
    }
    if (entry.type == DirEntry::Type::symlink) {
      auto target = file_behind_link(spec.root, absolute);
      if (!target) continue;
      absolute = std::move(*target);
    } else if (entry.type != DirEntry::Type::file) {
      continue;
    }
    if (!wanted(spec, path)) continue;
    if (path.find('\n') != std::string::npos)
      return Error(ErrorCode::invalid, "has a file name with a newline", folder);
    PAWL_ASSIGN(FileStat stat, stat_file(absolute));
    out.push_back({path, absolute, stat});
    if (out.size() > kMaxFiles)
      return Error(ErrorCode::invalid, "has more than two million files", spec.root);
  }
  return {};
}

Result<std::vector<Found>> find_files(const DataSpec& spec) {
  std::vector<Found> out;
  if (auto listed = list_dir(spec.root); !listed.ok()) {
    auto stat = stat_file(spec.root);
    if (!stat.ok()) return std::move(stat).error().wrap("dataset is not there");
    size_t slash = spec.root.find_last_of('/');
    out.push_back({spec.root.substr(slash == std::string::npos ? 0 : slash + 1), spec.root, *stat});
  } else {
    PAWL_RETURN_IF_ERROR(walk(spec, "", 0, out));
  }
  if (out.empty()) return Error(ErrorCode::not_found, "dataset has no files", spec.root);
  return out;
}

bool same(const StatCache::Entry& entry, const FileStat& stat) {
  return entry.bytes == stat.size && entry.mtime_ns == stat.mtime_ns && entry.ctime_ns == stat.ctime_ns &&
         entry.inode == stat.inode;
}

Result<std::string> hash_settled(const Found& file) {
  PAWL_ASSIGN(std::string hex, sha256_file_hex(file.absolute));
  PAWL_ASSIGN(FileStat after, stat_file(file.absolute));
  if (after.size != file.stat.size || after.mtime_ns != file.stat.mtime_ns ||
      after.inode != file.stat.inode) {
    return Error(ErrorCode::unavailable, "changed while it was read", file.absolute);
  }
  return hex;
}

}  // namespace

DataVersion make_version(std::vector<DataFile> files) {
  std::sort(files.begin(), files.end(), [](const DataFile& a, const DataFile& b) { return a.path < b.path; });
  DataVersion out;
  for (const DataFile& file : files) {
    out.manifest += fmt::format("{}  {}  {}\n", file.sha256, file.bytes, file.path);
    out.bytes += file.bytes;
  }
  out.files = files.size();
  out.digest = "sha256:" + sha256_hex(out.manifest);
  return out;
}

Result<std::vector<DataFile>> parse_manifest(std::string_view manifest) {
  std::vector<DataFile> out;
  while (!manifest.empty()) {
    const std::string_view line = manifest.substr(0, manifest.find('\n'));
    manifest.remove_prefix(std::min(line.size() + 1, manifest.size()));
    const size_t bytes_at = line.find("  ");
    const size_t path_at = bytes_at == line.npos ? line.npos : line.find("  ", bytes_at + 2);
    if (path_at == line.npos || bytes_at != 64) return Error(ErrorCode::invalid, "is no line of a manifest");
    DataFile file;
    file.sha256 = line.substr(0, bytes_at);
    file.path = line.substr(path_at + 2);
    const std::string_view bytes = line.substr(bytes_at + 2, path_at - bytes_at - 2);
    const auto parsed = std::from_chars(bytes.data(), bytes.data() + bytes.size(), file.bytes);
    const std::vector<std::string_view> parts = split(file.path, '/');
    const bool inside = !file.path.empty() && std::find(parts.begin(), parts.end(), "") == parts.end() &&
                        std::find(parts.begin(), parts.end(), "..") == parts.end();
    if (parsed.ec != std::errc() || parsed.ptr != bytes.data() + bytes.size() || !inside)
      return Error(ErrorCode::invalid, "is no line of a manifest");
    out.push_back(std::move(file));
  }
  return out;
}

Result<DataVersion> scan_data(const DataSpec& spec, StatCache& cache) {
  PAWL_ASSIGN(std::vector<Found> found, find_files(spec));
  std::vector<DataFile> files;
  for (const Found& file : found) {
    auto it = cache.entries.find(file.absolute);
    if (it == cache.entries.end() || !same(it->second, file.stat)) {
      PAWL_ASSIGN(std::string hex, hash_settled(file));
      const FileStat& s = file.stat;
      it = cache.entries
               .insert_or_assign(file.absolute,
                                 StatCache::Entry{s.size, s.mtime_ns, s.ctime_ns, s.inode, std::move(hex)})
               .first;
    }
    files.push_back({file.relative, file.stat.size, it->second.sha256});
  }
  return make_version(std::move(files));
}

Result<std::string> data_fingerprint(const DataSpec& spec) {
  PAWL_ASSIGN(std::vector<Found> found, find_files(spec));
  Sha256 hash;
  for (const Found& f : found) {
    hash.update(fmt::format("{} {} {} {} {}\n", f.relative, f.stat.size, f.stat.mtime_ns, f.stat.ctime_ns,
                            f.stat.inode));
  }
  return hash.hex();
}

}  // namespace pawl::trigger
